/** Reads and writes sandbox.lock, beside sandbox.toml: which commit and which content each template of a repository is. */
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import { errnoOf, SbxError } from '../../errors.ts';

export const LOCK_NAME = 'sandbox.lock';

export interface Pin {
  /** 40 or 64 hex digits */
  commit: string;
  /** `contentOf` the files: 64 hex digits */
  content: string;
}

/** By the text of the reference */
export type Pins = Readonly<Record<string, Pin>>;

const SIZE_MAX = 1024 * 1024;
const schema = z.strictObject({
  version: z.literal(1),
  templates: z.record(
    z.string(),
    z.strictObject({
      commit: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
      content: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** No pin where there is no file. @throws SbxError `config-invalid` */
export function readLock(projectDir: string): Pins {
  const file = join(projectDir, LOCK_NAME);
  try {
    const found = lstatSync(file);
    // A sandbox could have made it a link to any file of the host, before it was protected.
    if (!found.isFile() || found.size > SIZE_MAX) throw invalid(file, 'it is not a file of at most 1 MiB');
    return schema.parse(JSON.parse(readFileSync(file, 'utf8'))).templates;
  } catch (error) {
    if (error instanceof SbxError) throw error;
    if (errnoOf(error) === 'ENOENT') return {};
    throw invalid(file, error instanceof z.ZodError ? z.prettifyError(error).split('\n').join(' ') : String(error));
  }
}

function invalid(file: string, why: string): SbxError {
  return new SbxError('config-invalid', `${LOCK_NAME} cannot be read`, {
    place: { file, line: 1, column: 1 },
    why,
    hint: 'take it back from your version control, or remove it and run `sbx lock`',
  });
}

/** In an order that keeps its differences small. @throws SbxError `config-invalid` where something else than a file is in its place */
export async function writeLock(projectDir: string, pins: Pins): Promise<void> {
  const file = join(projectDir, LOCK_NAME);
  readLock(projectDir);
  const templates = Object.fromEntries(Object.entries(pins).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeFileAtomic(file, `${JSON.stringify({ version: 1, templates }, null, 2)}\n`);
}
