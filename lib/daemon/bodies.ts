/** Schemas of the request bodies of the daemon's API. */
import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';
import { z } from 'zod';
import type { GcRequest, RemoveRequest, SecretRequest, SnapshotsRequest } from '../api/contract.ts';
import type { AllowRequest, HoldPortsRequest, PortsRequest, RevokeRequest } from '../api/live-contract.ts';
import type { ApplyRequest, ApproveRequest, PlanRequest } from '../api/project-contract.ts';
import type { AcceptRequest, DiffRequest, FetchRequest } from '../api/work-contract.ts';
import { SbxError } from '../errors.ts';
import type { Consent } from '../plan/loss.ts';
import type { ProjectSpec } from '../spec/spec.ts';

const project = {
  cwd: z.string().startsWith('/'),
  env: z.record(z.string(), z.string()),
  only: z.array(z.string()).optional(),
  rebuild: z.boolean().optional(),
};
/** Made by the client's loader; only what the daemon cannot do without is checked */
const spec = z
  .looseObject({ name: z.string(), dir: z.string(), sandboxes: z.array(z.looseObject({ name: z.string() })) })
  .transform((value) => value as unknown as ProjectSpec);
const scope = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('all') }),
  z.strictObject({ kind: z.literal('project'), dir: z.string() }),
  z.strictObject({ kind: z.literal('sandbox'), dir: z.string(), name: z.string() }),
]);
const source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('value') }),
  z.strictObject({ kind: z.literal('command'), argv: z.array(z.string()), cacheSeconds: z.number() }),
]);
const rule = z.strictObject({ pattern: z.string(), text: z.string(), trusted: z.boolean() });

const consent = { confirmed: z.boolean().optional(), discard: z.boolean().optional() };

export type Body<T> = z.ZodType<T>;

export const planBody = z.strictObject(project) as Body<PlanRequest>;
export const applyBody = z.strictObject({
  ...project,
  acceptWidening: z.string().optional(),
  ...consent,
}) as Body<ApplyRequest>;
export const approveBody = z.strictObject({ before: spec, after: spec }) as Body<ApproveRequest>;
export const checkPathBody = z.strictObject({
  path: z.string().refine((path) => isAbsolute(path) && normalize(path) === path, 'it must be absolute, without ".."'),
});
export const allowBody = z.strictObject({
  rules: z.array(rule),
  seconds: z.number().positive().optional(),
}) as Body<AllowRequest>;
const port = z.strictObject({
  guest: z.int().min(1).max(65_535),
  host: z.int().min(0).max(65_535),
  address: z
    .string()
    .refine((value) => isIP(value) !== 0, 'it must be an IP address')
    .optional(),
});
export const portsBody = z.strictObject({
  publish: z.array(port).max(100),
  unpublish: z.array(port).max(100),
}) as Body<PortsRequest>;
export const holdPortsBody = z.strictObject({ publish: z.array(port).min(1).max(100) }) as Body<HoldPortsRequest>;
export const declineBody = z.strictObject({ ports: z.array(z.int().min(1).max(65_535)).max(100) });
export const revokeBody = z.strictObject({ entries: z.array(z.string()).min(1) }) as Body<RevokeRequest>;
export const secretBody = z.strictObject({
  name: z.string(),
  scope,
  source,
  value: z.string().optional(),
  store: z.string().optional(),
}) as Body<SecretRequest>;
export const removalBody = z.strictObject({ name: z.string(), scope }) as Body<Pick<SecretRequest, 'name' | 'scope'>>;
export const gcBody = z.strictObject({
  dryRun: z.boolean(),
  all: z.boolean().optional(),
  keepSeconds: z.number().nonnegative().optional(),
}) as Body<GcRequest>;

export const consentBody = z.strictObject(consent) as Body<Consent>;
export const removeBody = z.strictObject({ ...consent, kept: z.boolean().optional() }) as Body<RemoveRequest>;
export const snapshotsBody = z.strictObject({
  ...consent,
  action: z.enum(['create', 'ls', 'restore', 'rm']),
  label: z.string().optional(),
}) as Body<SnapshotsRequest>;
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .nullable();
export const acceptBody = z.strictObject({
  path: z.string().startsWith('/'),
  version: z.strictObject({ layer: hash, host: hash }),
}) as Body<AcceptRequest>;
export const diffBody = z.strictObject({
  patch: z.boolean(),
  path: z.string().startsWith('/').optional(),
}) as Body<DiffRequest>;
export const fetchBody = z.strictObject({ revision: z.string().optional(), force: z.boolean() }) as Body<FetchRequest>;

/** @throws SbxError `usage` with the path of the wrong field, never with its value: it may be a secret. */
export function parseBody<T>(schema: Body<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SbxError('usage', 'invalid request body', {
    why: `${issue?.path.join('.') || 'body'}: ${issue?.code === 'unrecognized_keys' ? 'unknown key' : issue?.message}`,
    hint: 'use a client of the same build as the daemon',
  });
}
