/** Records on disk: one for each instance, one for each project. They are the source of truth; the daemon holds copies only. */
import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import type { WarmImage } from '../image/warm/warm-image.ts';
import { type Home, instancePaths } from '../paths.ts';
import type { Desired } from '../spec/desired.ts';
import type { SandboxSpec, VmSize } from '../spec/spec.ts';
import { removeTree } from '../system/remove-tree.ts';
import { instanceId, projectId } from './ids.ts';
import { migrateHome, migrateInstance } from './migrate.ts';

export interface InstanceRecord {
  version: 1;
  id: string;
  /** The sandbox's name */
  name: string;
  project: string;
  projectDir: string;
  /** The spec of the last apply, finished or not */
  target: SandboxSpec;
  /** The spec of the last apply that finished */
  applied: SandboxSpec | null;
  /** The desired state besides the spec, written before anything is done */
  desired: DesiredRecord;
  /** Of the instance's disk, and of its last start: see `Desired` */
  generation: number;
  boot: number;
  /** The image that the disk was cloned from */
  image: WarmImage | null;
  /** The image of the last `build` step, for the `create` step after it */
  built: WarmImage | null;
  /** Packages were installed on the disk since: `image` is not what a new clone of `applied` starts from */
  imageLacksPackages?: boolean;
  /** The layers of kernel and runtime that it booted with last, where those are not its image's */
  bootedWith?: WarmImage['chain'];
  /** The process whose guest went through the resume sequence, and its size (absent in records of earlier builds) */
  resumed: { pid: number; startTime: string; size?: VmSize } | null;
  /** What it was booted from last, where those are not its image's */
  bootFiles?: Pick<WarmImage, 'kernel' | 'initrd' | 'runtimeDisk'> | null;
  /** Why its last resume was a cold boot, and when (ISO 8601) */
  lostMemory?: { why: string; at: string } | null;
  /** The kept folders that have what the image has in them, and for which disk. Absent: none */
  filledKept?: { generation: number; folders: string[] };
  createdAt: string;
}

export interface DesiredRecord extends Omit<Desired, 'spec'> {
  /** False: the sandbox is to be removed */
  exists: boolean;
  /** Why `power` is off; null while it is on */
  stoppedBy: 'user' | 'idle' | null;
}

/** Of a sandbox that was never reset */
export const FIRST: DesiredRecord = { exists: true, power: 'on', generation: 1, boot: 1, stoppedBy: null };

export interface ProjectRecord {
  version: 1;
  dir: string;
  /** Hash of what widens, as the person accepted it last */
  approvedHash: string | null;
}

export class Records {
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
    for (const dir of [home.root, home.instances, home.projects]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    migrateHome(home);
    for (const id of readdirSync(home.instances)) migrateInstance(home, id);
  }

  idOf(projectDir: string, name: string): string {
    return instanceId(projectDir, name);
  }

  /** Every instance on disk; a folder without a readable record is left out (see `sweep`). */
  list(): InstanceRecord[] {
    return readdirSync(this.#home.instances).flatMap((id) => {
      const record = this.get(id);
      return record === undefined ? [] : [record];
    });
  }

  get(id: string): InstanceRecord | undefined {
    return readInstance(this.#home, id);
  }

  /** @throws SbxError `not-found` */
  require(id: string): InstanceRecord {
    const record = this.get(id);
    if (record === undefined) throw new SbxError('not-found', 'no such sandbox', { hint: 'see `sbx ls`' });
    return record;
  }

  async put(record: InstanceRecord): Promise<void> {
    const paths = instancePaths(this.#home, record.id);
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    // Against the host losing its power. Before anything was applied, there is nothing to lose by it.
    await writeFileAtomic(paths.record, JSON.stringify(record), { mode: 0o600, fsync: record.applied !== null });
  }

  async update(id: string, change: Partial<InstanceRecord>): Promise<InstanceRecord> {
    const next = { ...this.require(id), ...change };
    await this.put(next);
    return next;
  }

  /** The folder goes out of sight in one step, then its content. */
  remove(id: string): void {
    const { dir } = instancePaths(this.#home, id);
    const trash = join(this.#home.instances, `.trash-${id}-${process.pid}-${Date.now()}`);
    try {
      renameSync(dir, trash);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    removeTree(trash);
  }

  /** Removes what a killed removal or creation left. */
  sweep(): void {
    for (const name of readdirSync(this.#home.instances)) {
      if (name.startsWith('.trash-') || this.get(name) === undefined) removeTree(join(this.#home.instances, name));
    }
  }

  project(dir: string): ProjectRecord {
    return readJson<ProjectRecord>(this.#projectFile(dir)) ?? { version: 1, dir, approvedHash: null };
  }

  async putProject(record: ProjectRecord): Promise<void> {
    const file = this.#projectFile(record.dir);
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, JSON.stringify(record), { mode: 0o600 });
  }

  #projectFile(dir: string): string {
    return join(this.#home.projects, projectId(dir), 'project.json');
  }
}

/** Of one sandbox, without a daemon. Undefined: there is none. */
export function readInstance(home: Home, id: string): InstanceRecord | undefined {
  const record = readJson<InstanceRecord>(instancePaths(home, id).record);
  if (record !== undefined) complete(record);
  return record;
}

/**
 * What is kept in the background. Undefined: nothing, since the first apply has not finished; the next one finishes it.
 * An unfinished change of the spec waits for the next apply too: until then the applied spec is kept.
 */
export function backgroundDesired({ applied, desired }: InstanceRecord): Desired | undefined {
  const { exists, power, generation, boot } = desired;
  if (!exists) return { spec: undefined, power, generation, boot };
  return applied === null ? undefined : { spec: applied, power, generation, boot };
}

/** Of a new disk. Above what was reached as well: a reset that was taken back may have been reached all the same. */
export function nextGeneration({ desired, generation }: InstanceRecord): number {
  return Math.max(desired.generation, generation) + 1;
}

/** Fields that records of earlier builds lack, or have under another name. */
function complete(record: Partial<InstanceRecord> & { stopped?: 'user' | 'idle' | null }): void {
  const { stopped, desired } = record;
  record.desired = desired ?? { ...FIRST, power: stopped ? 'off' : 'on', stoppedBy: stopped ?? null };
  record.generation ??= FIRST.generation;
  record.boot ??= FIRST.boot;
  record.built ??= null;
  delete record.stopped;
  const size = (record.applied ?? record.target)?.resources;
  for (const image of [record.image, record.built]) if (image && size !== undefined) image.size ??= size;
  for (const spec of [record.target, record.applied] as (Partial<SandboxSpec> | null)[])
    if (spec) spec.credentials ??= [];
}

function readJson<T extends { version: number }>(file: string): T | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as T;
    return value.version === 1 ? value : undefined;
  } catch {
    return undefined;
  }
}
