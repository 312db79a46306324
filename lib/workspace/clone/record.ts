/** What the host remembers of a clone, in the sandbox's folder: the base that work is compared with. */
import { existsSync, readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';

const objectId = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/);

const schema = z.object({
  version: z.literal(1),
  /** `[workspace] path` and `hide` when it was made */
  path: z.string(),
  hide: z.array(z.string()),
  /** Top of the work tree, the same on the host and in the sandbox */
  top: z.string(),
  /** Objects that the host had when the clone was made */
  tips: z.array(objectId),
  /** HEAD then; empty: no commit */
  head: z.union([objectId, z.literal('')]),
  /** The folder has no repository: work comes back as a patch */
  plain: z.boolean().optional(),
  /** Submodules that were cloned with it, also those of submodules: `path` below `top`, the rest as above. Absent in records of earlier builds */
  submodules: z
    .array(z.object({ path: z.string(), tips: z.array(objectId), head: z.union([objectId, z.literal('')]) }))
    .optional(),
  /** Commits that were brought back, those of submodules included */
  fetched: z.array(objectId),
});

export type CloneRecord = z.infer<typeof schema>;
export type InnerClone = NonNullable<CloneRecord['submodules']>[number];

/** Undefined: none was made, or none in full */
export function readCloneRecord(file: string): CloneRecord | undefined {
  if (!existsSync(file)) return undefined;
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success ? parsed.data : undefined;
}

export async function writeCloneRecord(file: string, record: CloneRecord): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
