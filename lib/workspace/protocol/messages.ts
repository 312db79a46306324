/** What the daemon asks of a workspace server, and what it answers: one line of JSON each, on a connection of its own. */
import { z } from 'zod';

const place = z.strictObject({ file: z.string(), line: z.number(), column: z.number() });
const entry = z.strictObject({ text: z.string(), source: z.union([place, z.literal('default')]) });

/** The rules of one folder: see `WorkspaceRules` of lib/workspace/policy */
const rules = z.strictObject({
  hide: z.array(entry),
  readonly: z.array(entry),
  private: z.array(entry),
  unprotect: z.array(entry),
  configFiles: z.array(z.string()),
  /** Paths that the host's git configuration outside of the folder names */
  named: z.array(z.string()),
  around: z.array(z.string()).optional(),
  /** The sandbox's own: no program of the host works in it, so the built-in rules about those are off */
  own: z.boolean().optional(),
});
export type FolderRules = z.infer<typeof rules>;

const folder = z.strictObject({
  /** Under which the guest sees it below the mount */
  name: z.string(),
  /** Absolute, as the server sees it */
  path: z.string(),
  /** The same on the host */
  hostPath: z.string(),
  readonly: z.boolean(),
  /** Folder of the guest's private layer, as the server sees it. Absent: what would be private is read-only */
  layer: z.string().optional(),
  /** Absent: everything passes */
  rules: rules.optional(),
});
export type AttachedFolder = z.infer<typeof folder>;

/** Repeated for the same id, it replaces the rules of the folders; the guest notices nothing else. */
const attach = z.strictObject({
  op: z.literal('attach'),
  id: z.string(),
  /** The socket that QEMU serves, and the file that is the guest's mailbox, as the server sees them */
  link: z.string(),
  mailbox: z.string(),
  /** For the next server: see `ServedGuest` */
  stateFile: z.string(),
  folders: z.array(folder).min(1),
});
export type Attach = z.infer<typeof attach>;

export const request = z.discriminatedUnion('op', [
  attach,
  z.strictObject({ op: z.literal('detach'), id: z.string() }),
  /** As `detach`, but what the guest has open is written to its state file. Its VM runs */
  z.strictObject({ op: z.literal('suspend'), id: z.string() }),
  /** What a guest gets at a path of one of its folders, relative to that */
  z.strictObject({ op: z.literal('explain'), id: z.string(), folder: z.string(), path: z.string() }),
  /** An entry of the private layer is on the host now: `path` as for `explain` */
  z.strictObject({ op: z.literal('take-out'), id: z.string(), folder: z.string(), path: z.string() }),
  z.strictObject({ op: z.literal('status') }),
  /** Is not answered: the connection ends with the server */
  z.strictObject({ op: z.literal('watch') }),
]);
export type Request = z.infer<typeof request>;

/** Of the folders that a guest uses, which does the server watch on the host? Unwatched ones are not cached. */
const watched = z.enum(['all', 'some', 'none']);
export type Watched = z.infer<typeof watched>;

const verdict = z.enum(['pass', 'hidden', 'read-only', 'private']);

export const answer = z.union([
  z.strictObject({ guests: z.array(z.strictObject({ id: z.string(), connected: z.boolean(), watched })) }),
  z.strictObject({
    explanation: z.strictObject({
      path: z.string(),
      read: verdict,
      write: verdict,
      /** What to write to change it */
      hint: z.string().optional(),
      lines: z.array(z.string()),
    }),
  }),
  z.strictObject({ error: z.string() }),
]);
export type Answer = z.infer<typeof answer>;

/** Longest request or answer, bytes: rules of a large project have some ten thousand */
export const LINE_MAX = 4 << 20;
