/** What the daemon keeps on disk: one record an instance, one a project. The truth survives every daemon. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import type { WarmImage } from '../image/warm/warm-image.ts';
import { type Home, instancePaths } from '../paths.ts';
import type { SandboxSpec } from '../spec/spec.ts';
import { instanceId, projectId } from './ids.ts';
import { migrateInstance } from './migrate.ts';

export interface InstanceRecord {
  version: 1;
  id: string;
  /** The sandbox's name */
  name: string;
  project: string;
  projectDir: string;
  /** What was asked for last */
  target: SandboxSpec;
  /** What was applied in full last */
  applied: SandboxSpec | null;
  image: WarmImage | null;
  /** It is to stay so until somebody asks: by its user, or since nobody used it */
  stopped: 'user' | 'idle' | null;
  /** The process whose guest went through the resume sequence */
  resumed: { pid: number; startTime: string } | null;
  createdAt: string;
}

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
    const record = readJson<InstanceRecord>(instancePaths(this.#home, id).record);
    if (record !== undefined) complete(record);
    return record;
  }

  /** @throws SbxError `not-found` */
  require(id: string): InstanceRecord {
    const record = this.get(id);
    if (record === undefined) throw new SbxError('not-found', 'there is no such sandbox', { hint: 'see `sbx ls`' });
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
    rmSync(trash, { recursive: true, force: true });
  }

  /** Removes what a killed removal or creation left. */
  sweep(): void {
    for (const name of readdirSync(this.#home.instances)) {
      if (name.startsWith('.trash-') || this.get(name) === undefined)
        rmSync(join(this.#home.instances, name), { recursive: true, force: true });
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

/** A record of an earlier build lacks what came later. */
function complete(record: Partial<InstanceRecord>): void {
  record.stopped ??= null;
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
