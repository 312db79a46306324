/** Content-addressed layers: written under a temporary name, synced, renamed; verified when they are used. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, mkdirSync, statSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { errnoOf, SbxError } from '../errors.ts';
import { takeLock } from '../lock.ts';
import { isAlive, startTimeOf } from '../process.ts';

export interface LayerMeta {
  parents: { kind: string; key: string }[];
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

interface LayerRecord extends LayerMeta {
  version: 1;
  kind: string;
  key: string;
  createdAt: string;
  files: FileSeal[];
}

export interface Layer extends LayerMeta {
  kind: string;
  key: string;
  dir: string;
  createdAt: string;
  /** Bytes really used on the disk */
  bytes: number;
}

export interface BuildOptions {
  signal?: AbortSignal;
  /** Another process builds the same layer */
  onWait?: () => void;
}

export interface Store {
  /** A verified layer; a damaged one is removed and reported, so that it is built again. */
  get(kind: string, key: string, options?: { onDamaged?: (why: string) => void }): Promise<Layer | undefined>;
  /** Builds into a temporary folder and seals it. One process builds, the others wait and take its layer. */
  build(
    kind: string,
    key: string,
    meta: LayerMeta,
    fill: (dir: string, signal?: AbortSignal) => Promise<void>,
    options?: BuildOptions,
  ): Promise<Layer>;
  /** Where a layer lies, or will lie */
  pathOf(kind: string, key: string): string;
  list(): Promise<Layer[]>;
  remove(kind: string, key: string): Promise<void>;
  /** Folders of builders that died; removed, with the bytes they held */
  sweep(dryRun: boolean): Promise<{ name: string; bytes: number }[]>;
}

const RECORD = 'layer.json';

export function openStore(root: string): Store {
  const temporary = join(root, 'tmp');
  const locks = join(root, 'locks');
  for (const dir of [root, temporary, locks]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pathOf = (kind: string, key: string) => join(root, `${kind}-${key}`);

  const get: Store['get'] = async (kind, key, options) => {
    const dir = pathOf(kind, key);
    const record = await readRecord(dir);
    if (record === undefined) {
      // A folder without a record was not sealed by us.
      if (statSync(dir, { throwIfNoEntry: false }) !== undefined) await discard(dir, temporary);
      return undefined;
    }
    const why = await damage(dir, record);
    if (why !== undefined) {
      options?.onDamaged?.(why);
      await discard(dir, temporary);
      return undefined;
    }
    const now = new Date();
    await utimes(join(dir, RECORD), now, now);
    return layerOf(dir, record);
  };

  return {
    get,
    pathOf,
    async build(kind, key, meta, fill, options = {}) {
      using _lock = await takeLock(join(locks, `${kind}-${key}`), {
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        onWait: () => options.onWait?.(),
      });
      const done = await get(kind, key);
      if (done !== undefined) return done;
      const dir = join(temporary, `${kind}-${key}.${process.pid}.${startTimeOf(process.pid)}`);
      await rm(dir, { recursive: true, force: true });
      mkdirSync(dir, { mode: 0o700 });
      try {
        await fill(dir, options.signal);
        options.signal?.throwIfAborted();
        await seal(dir, kind, key, meta);
        await rename(dir, pathOf(kind, key));
        await syncPath(root);
      } catch (error) {
        throw explain(error, root);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
      const built = await get(kind, key);
      if (built === undefined)
        throw new SbxError('layer-damaged', `the ${kind} layer was damaged while it was written`, {
          hint: 'check the disk of the host',
        });
      return built;
    },
    async list() {
      const names = await readdir(root);
      const layers = await Promise.all(
        names.map(async (name) => ({ dir: join(root, name), record: await readRecord(join(root, name)) })),
      );
      return Promise.all(layers.flatMap(({ dir, record }) => (record === undefined ? [] : [layerOf(dir, record)])));
    },
    remove: async (kind, key) => {
      using _lock = await takeLock(join(locks, `${kind}-${key}`));
      await discard(pathOf(kind, key), temporary);
    },
    async sweep(dryRun) {
      const dead = (await readdir(temporary)).filter((name) => !builderLives(name));
      const found = await Promise.all(
        dead.map(async (name) => ({ name, bytes: await bytesIn(join(temporary, name)) })),
      );
      if (!dryRun) for (const { name } of found) await rm(join(temporary, name), { recursive: true, force: true });
      return found;
    },
  };
}

async function readRecord(dir: string): Promise<LayerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(join(dir, RECORD), 'utf8')) as LayerRecord;
    return record.version === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Why the layer is not what was sealed. The full hash is computed only where a file's identity has changed. */
async function damage(dir: string, record: LayerRecord): Promise<string | undefined> {
  let resealed = false;
  for (const file of record.files) {
    const found = await stat(join(dir, file.name)).catch(() => undefined);
    if (found === undefined) return `${file.name} is missing`;
    if (found.size !== file.size) return `${file.name} has ${found.size} bytes instead of ${file.size}`;
    if (found.dev === file.dev && found.ino === file.ino && found.ctimeMs === file.ctimeMs) continue;
    if ((await hashOf(join(dir, file.name))) !== file.sha256) return `the content of ${file.name} has changed`;
    Object.assign(file, { dev: found.dev, ino: found.ino, ctimeMs: found.ctimeMs });
    resealed = true;
  }
  if (resealed) await writeFile(join(dir, RECORD), JSON.stringify(record), { mode: 0o600 });
  return undefined;
}

async function seal(dir: string, kind: string, key: string, meta: LayerMeta): Promise<void> {
  const names = (await readdir(dir, { recursive: true }))
    .filter((name) => statSync(join(dir, name)).isFile())
    .toSorted();
  const files: FileSeal[] = [];
  for (const name of names) {
    const path = join(dir, name);
    const sha256 = await hashOf(path);
    await syncPath(path);
    const { size, dev, ino, ctimeMs } = await stat(path);
    files.push({ name, size, sha256, dev, ino, ctimeMs });
  }
  const record: LayerRecord = { version: 1, kind, key, ...meta, createdAt: new Date().toISOString(), files };
  await writeFile(join(dir, RECORD), JSON.stringify(record), { mode: 0o600 });
  await syncPath(join(dir, RECORD));
  await syncPath(dir);
}

async function hashOf(path: string): Promise<string> {
  const hash: Hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Out of sight in one step, then gone. */
async function discard(dir: string, temporary: string): Promise<void> {
  const trash = join(temporary, `discarded.${process.pid}.${startTimeOf(process.pid)}.${Date.now()}`);
  try {
    await rename(dir, trash);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(trash, { recursive: true, force: true });
}

async function layerOf(dir: string, record: LayerRecord): Promise<Layer> {
  const { kind, key, parents, description, createdAt } = record;
  return { kind, key, parents, description, createdAt, dir, bytes: await bytesIn(dir) };
}

async function bytesIn(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(dir, name)).then(
        (found) => (found.isFile() ? found.blocks * 512 : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** `<what>.<pid>.<start time>…` */
function builderLives(name: string): boolean {
  const [, pid, startTime] = /\.(\d+)\.(\d+)/.exec(name) ?? [];
  return pid !== undefined && startTime !== undefined && isAlive({ pid: Number(pid), startTime });
}

function explain(error: unknown, root: string): unknown {
  const full = errnoOf(error) === 'ENOSPC' || (error instanceof Error && /no space left|ENOSPC/i.test(error.message));
  if (!full) return error;
  return new SbxError('no-space', 'no space left to build a layer', {
    why: `the disk of ${root} is full`,
    hint: 'free some space, for example by `sbx gc`, or set SBX_HOME to a larger disk',
    cause: error,
  });
}
