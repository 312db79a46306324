/** The schema of an organisation's policy: what no project on this machine can widen. */
import { z } from 'zod';
import { network, size } from '../config/schema/fields.ts';
import { isRegistry } from './sources/allows-source.ts';

/** What a project can be kept from, by the name in `forbid` */
export const FORBIDDEN = [
  'credentials',
  'docker',
  'mcp',
  'mounts',
  'network-observe',
  'ports',
  'public-ports',
  'services',
  'signing',
  'unprotect',
] as const;

export type Forbidden = (typeof FORBIDDEN)[number];

export const policySchema = z.strictObject({
  version: z.literal(1),
  /** `never`: nothing that gives a sandbox more can be approved, neither in a file nor by a command */
  approve: z.enum(['ask', 'never']).optional(),
  forbid: z.array(z.enum(FORBIDDEN)).max(FORBIDDEN.length).optional(),
  network: z
    .strictObject({
      deny: z
        .array(
          network.refine((value) => !value.startsWith('preset:'), {
            message: 'must not be a preset',
            params: { hint: 'write the hosts themselves: a preset is what each user has configured' },
          }),
        )
        .max(10_000)
        .optional(),
    })
    .optional(),
  templates: z
    .strictObject({
      /** The only places that templates and images may come from; empty: none */
      registries: z
        .array(
          z
            .string()
            .max(512)
            .refine(isRegistry, {
              message: 'must be a host, or a host and a path below it',
              params: {
                hint: 'write "registry.example.com" or "git.example.com:8443/team", in lower case, without a scheme',
              },
            }),
        )
        .max(1_000)
        .optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      cpus: z.int().min(1).optional(),
      memory: size.optional(),
      disk: size.optional(),
      sandboxes: z.int().min(1).optional(),
    })
    .optional(),
});
