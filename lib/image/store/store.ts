/** Content-addressed layers: written under a temporary name, synced, renamed; verified when they are used. */
import { mkdirSync, statfsSync, statSync } from 'node:fs';
import { readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, SbxError } from '../../errors.ts';
import { takeLock } from '../../system/file-lock.ts';
import { startTimeOf } from '../../system/process-identity.ts';
import { abandoned, BUILDING, type Building, bytesIn, discard, readBuilding, sweep } from './leftovers.ts';
import {
  damageOf,
  foundationGone,
  isUntouched,
  type LayerMeta,
  type LayerRecord,
  RECORD,
  readRecord,
  seal,
  sealedParents,
  syncPath,
} from './seal.ts';

export interface Layer extends LayerMeta {
  kind: string;
  key: string;
  dir: string;
  createdAt: string;
}

export interface MeasuredLayer extends Layer {
  /** ISO time of the last start from it, or of its sealing */
  lastUsedAt: string;
  /** Bytes really used on the disk */
  bytes: number;
}

interface BuildOptions {
  signal?: AbortSignal | undefined;
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
  list(): Promise<MeasuredLayer[]>;
  remove(kind: string, key: string): Promise<void>;
  /** Layers that living processes build at this moment, with the parents they need for it */
  building(): Promise<Building[]>;
  /** Folders of builders that died, as paths */
  abandoned(): Promise<string[]>;
  /** Folders of builders that died; removed, with the bytes they held */
  sweep(dryRun: boolean): Promise<{ name: string; bytes: number }[]>;
}

export function openStore(root: string): Store {
  const temporary = join(root, 'tmp');
  const locks = join(root, 'locks');
  for (const dir of [root, temporary, locks]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pathOf = (kind: string, key: string) => join(root, `${kind}-${key}`);
  const lockOf = (kind: string, key: string) => join(locks, `${kind}-${key}`);

  return {
    async get(kind, key, options) {
      const dir = pathOf(kind, key);
      const record = await readRecord(dir);
      if (record !== undefined && (await isAsSealed(root, dir, record))) return use(dir, record);
      if (statSync(dir, { throwIfNoEntry: false }) === undefined) return undefined;
      // Another process may have built the damaged layer again meanwhile: check again under the lock.
      using _lock = await takeLock(lockOf(kind, key));
      // Without `await` the lock would be released before the check has ended.
      return await findOrDiscard(dir, temporary, options?.onDamaged);
    },
    pathOf,
    build(kind, key, meta, fill, options = {}) {
      const dir = join(temporary, `${kind}-${key}.${process.pid}.${startTimeOf(process.pid)}`);
      const job = { root, temporary, dir, kind, key, meta, fill, signal: options.signal };
      return buildOrTake(job, () => takeLock(lockOf(kind, key), options));
    },
    async list() {
      const names = await readdir(root);
      const layers = await Promise.all(names.map((name) => measured(join(root, name))));
      return layers.filter((layer) => layer !== undefined);
    },
    async remove(kind, key) {
      using _lock = await takeLock(lockOf(kind, key));
      await discard(pathOf(kind, key), temporary);
    },
    building: () => readBuilding(temporary),
    abandoned: async () =>
      (await abandoned(temporary)).filter((name) => !name.endsWith(BUILDING)).map((name) => join(temporary, name)),
    sweep: (dryRun) => sweep(temporary, dryRun),
  };
}

interface BuildJob {
  root: string;
  temporary: string;
  dir: string;
  kind: string;
  key: string;
  meta: LayerMeta;
  fill: (dir: string, signal?: AbortSignal) => Promise<void>;
  signal: AbortSignal | undefined;
}

/** Takes the layer of another process if that was faster. */
async function buildOrTake(job: BuildJob, lock: () => Promise<Disposable>): Promise<Layer> {
  const { root, temporary, kind, key } = job;
  try {
    using _lock = await lock();
    const done = await findOrDiscard(join(root, `${kind}-${key}`), temporary);
    // Without `await` the lock would be released before the layer is built.
    return done ?? (await buildLayer(job));
  } catch (error) {
    throw explain(error, root);
  }
}

/** Under the lock of the layer. */
async function buildLayer(job: BuildJob): Promise<Layer> {
  const { root, temporary, dir, kind, key, meta, fill, signal } = job;
  const target = join(root, `${kind}-${key}`);
  await sweep(temporary, false);
  try {
    const building: Building = { layer: { kind, key }, parents: meta.parents };
    await writeFile(dir + BUILDING, JSON.stringify(building), { mode: 0o600 });
    await rm(dir, { recursive: true, force: true });
    mkdirSync(dir, { mode: 0o700 });
    await fill(dir, signal);
    signal?.throwIfAborted();
    await seal(dir, kind, key, { ...meta, parents: await sealedParents(root, meta.parents) });
    signal?.throwIfAborted();
    await rename(dir, target);
    await syncPath(root);
  } finally {
    await rm(dir, { recursive: true, force: true });
    await rm(dir + BUILDING, { force: true });
  }
  let why = 'it is gone';
  const built = await findOrDiscard(target, temporary, (damage) => {
    why = damage;
  });
  if (built !== undefined) return built;
  throw new SbxError('layer-damaged', `the ${kind} layer was damaged while it was written`, {
    why,
    hint: 'check the disk of the host',
  });
}

/** Under the lock of the layer. Reads all of what is not as it was sealed. */
async function findOrDiscard(
  dir: string,
  temporary: string,
  onDamaged?: (why: string) => void,
): Promise<Layer | undefined> {
  if (statSync(dir, { throwIfNoEntry: false }) === undefined) return undefined;
  const record = await readRecord(dir);
  const damage =
    record === undefined
      ? `${RECORD} cannot be read`
      : ((await foundationGone(dirname(dir), record)) ?? (await damageOf(dir, record)));
  if (record !== undefined && damage === undefined) return use(dir, record);
  onDamaged?.(damage ?? '');
  await discard(dir, temporary);
  return undefined;
}

async function isAsSealed(root: string, dir: string, record: LayerRecord): Promise<boolean> {
  const [untouched, gone] = await Promise.all([isUntouched(dir, record), foundationGone(root, record)]);
  return untouched && gone === undefined;
}

async function use(dir: string, record: LayerRecord): Promise<Layer> {
  const now = new Date();
  // When it was last used. A layer that is removed at this very moment is found missing by its user.
  await utimes(join(dir, RECORD), now, now).catch(() => {});
  return layerOf(dir, record);
}

function layerOf(dir: string, record: LayerRecord): Layer {
  const { kind, key, parents, description, createdAt } = record;
  return { kind, key, parents, description, createdAt, dir };
}

async function measured(dir: string): Promise<MeasuredLayer | undefined> {
  const record = await readRecord(dir);
  if (record === undefined) return undefined;
  const used = statSync(join(dir, RECORD), { throwIfNoEntry: false })?.mtime.toISOString() ?? record.createdAt;
  return { ...layerOf(dir, record), bytes: await bytesIn(dir), lastUsedAt: used };
}

function explain(error: unknown, root: string): unknown {
  if (error instanceof SbxError) return error;
  const full = errnoOf(error) === 'ENOSPC' || (error instanceof Error && /no space left|ENOSPC/i.test(error.message));
  if (!full) return error;
  const { bavail, blocks, bsize } = statfsSync(root);
  return new SbxError('no-space', 'no space left to build a layer', {
    why: `the disk of ${root} has ${mebibytes(bavail * bsize)} free of ${mebibytes(blocks * bsize)}; what was written of the layer is removed again`,
    hint: 'free some space, for example by `sbx gc --all`, or set SBX_HOME to a larger disk',
    cause: error,
  });
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
