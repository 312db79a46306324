/** The schema of an organisation's policy: what no project on this machine can widen. */
import { z } from 'zod';
import { network, size } from '../config/schema/fields.ts';

/** What a project can be kept from, by the name in `forbid` */
export const FORBIDDEN = [
  'credentials',
  'docker',
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
  limits: z
    .strictObject({
      cpus: z.int().min(1).optional(),
      memory: size.optional(),
      disk: size.optional(),
      sandboxes: z.int().min(1).optional(),
    })
    .optional(),
});
