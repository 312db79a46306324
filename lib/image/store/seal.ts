/** Seals a finished layer with sizes, hashes and identities of its files, and checks it against the seal. */
import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { hashFile } from './hash-file.ts';

export interface Parent {
  kind: string;
  key: string;
  /** Hash of its files and of the layers below, when this layer was sealed: a key names a recipe, and no two runs of one give the same bytes */
  content?: string;
}

export interface LayerMeta {
  parents: Parent[];
  /** For people */
  description: string;
}

interface FileSeal {
  name: string;
  size: number;
  sha256: string;
  /** A process in a jail can forge a time of change, but not this one */
  dev: number;
  ino: number;
  ctimeMs: number;
}

export interface LayerRecord extends LayerMeta {
  version: 1;
  kind: string;
  key: string;
  createdAt: string;
  files: FileSeal[];
}

export const RECORD = 'layer.json';

export async function readRecord(dir: string): Promise<LayerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(join(dir, RECORD), 'utf8')) as LayerRecord;
    return record.version === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The layers below as they are now, to be sealed with this one. */
export async function sealedParents(root: string, parents: Parent[]): Promise<Parent[]> {
  return Promise.all(
    parents.map(async ({ kind, key }) => {
      const record = await readRecord(join(root, `${kind}-${key}`));
      return record === undefined ? { kind, key } : { kind, key, content: contentOf(record) };
    }),
  );
}

/** Why the layer cannot be used: one below it was built again since, and its disk and memory are about the blocks of another one. */
export async function foundationGone(root: string, { parents }: LayerRecord): Promise<string | undefined> {
  const whys = await Promise.all(
    parents.map(async ({ kind, key, content }) => {
      if (content === undefined) return undefined;
      const record = await readRecord(join(root, `${kind}-${key}`));
      if (record === undefined) return `the ${kind} layer below it is gone`;
      return contentOf(record) === content ? undefined : `the ${kind} layer below it was built again`;
    }),
  );
  return whys.find((why) => why !== undefined);
}

function contentOf({ files, parents }: LayerRecord): string {
  const text = JSON.stringify([files.map(({ name, sha256 }) => [name, sha256]), parents.map(({ content }) => content)]);
  return createHash('sha256').update(text).digest('hex');
}

/** Cheap: no file has been written to, exchanged or moved since it was sealed. */
export async function isUntouched(dir: string, record: LayerRecord): Promise<boolean> {
  const same = await Promise.all(
    record.files.map(async (file) => {
      const found = await stat(join(dir, file.name)).catch(() => undefined);
      return found !== undefined && found.size === file.size && isSame(file, found);
    }),
  );
  return same.every(Boolean);
}

/** Why the layer is not what was sealed. The full hash is computed only where a file's identity has changed. Needs the layer's lock. */
export async function damageOf(dir: string, record: LayerRecord): Promise<string | undefined> {
  let resealed = false;
  for (const file of record.files) {
    const found = await stat(join(dir, file.name)).catch(() => undefined);
    if (found === undefined) return `${file.name} is missing`;
    if (found.size !== file.size) return `${file.name} has ${found.size} bytes instead of ${file.size}`;
    if (isSame(file, found)) continue;
    if ((await hashFile(join(dir, file.name))) !== file.sha256) return `the content of ${file.name} has changed`;
    Object.assign(file, { dev: found.dev, ino: found.ino, ctimeMs: found.ctimeMs });
    resealed = true;
  }
  if (resealed) await writeFileAtomic(join(dir, RECORD), JSON.stringify(record), { mode: 0o600 });
  return undefined;
}

function isSame(file: FileSeal, found: Stats): boolean {
  return found.dev === file.dev && found.ino === file.ino && found.ctimeMs === file.ctimeMs;
}

export async function seal(dir: string, kind: string, key: string, meta: LayerMeta): Promise<void> {
  const names = (await readdir(dir, { recursive: true }))
    .filter((name) => statSync(join(dir, name)).isFile())
    .toSorted();
  const files: FileSeal[] = [];
  for (const name of names) {
    const path = join(dir, name);
    await syncPath(path);
    // Looked at before it is read: a change while it is read shows later.
    const { size, dev, ino, ctimeMs } = await stat(path);
    const sha256 = await hashFile(path);
    files.push({ name, size, sha256, dev, ino, ctimeMs });
  }
  const record: LayerRecord = { version: 1, kind, key, ...meta, createdAt: new Date().toISOString(), files };
  await writeFile(join(dir, RECORD), JSON.stringify(record), { mode: 0o600 });
  await syncPath(join(dir, RECORD));
  await syncPath(dir);
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
