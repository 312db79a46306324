/**
 * Keeps commands in control groups (cgroup v2) below one group with limits, each in a group of its own, and the agent outside: a command that
 * takes all memory, processes or CPU time leaves the others their share. It limits accidents; root in the guest can leave its group.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { killsIn, type Limits } from './limits.ts';

const CONTROLLERS = '+memory +pids +cpu';

export interface ControlGroup {
  /** Calls `start` in the group: the process that it starts is in there before its first instruction */
  start<T extends { pid: number | undefined }>(start: () => T): T;
  /** Processes of the group ended for lack of memory, since it was made */
  kills(): number;
  /** While true, no process of the group runs */
  freeze(frozen: boolean): void;
  /** The group may be used again once its last process has ended */
  release(): void;
}

export class ControlGroups {
  readonly #root: string;
  readonly #work: string;
  readonly #limits: Limits;
  readonly #inUse = new Set<string>();

  /** `root`: where cgroup2 is mounted. @throws Error when it has no control groups, or not these controllers. */
  constructor(root: string, limits: Limits) {
    this.#root = root;
    this.#work = join(root, 'work');
    this.#limits = limits;
    writeFileSync(join(root, 'cgroup.subtree_control'), CONTROLLERS);
    mkdirSync(this.#work, { recursive: true });
    writeFileSync(join(this.#work, 'memory.max'), String(limits.memoryBytes));
    writeFileSync(join(this.#work, 'pids.max'), String(limits.processes));
    writeFileSync(join(this.#work, 'cgroup.subtree_control'), CONTROLLERS);
    // Of all containers together: a command still starts beside them.
    mkdirSync(join(this.#work, 'docker'), { recursive: true });
    this.#limit('docker');
    // An agent that was killed may have left one so.
    for (const name of this.#names()) this.#write(name, 'cgroup.freeze', '0');
  }

  /** A group without processes: one of before, since making a new one costs more, and removed ones are kept by the kernel for a while. */
  take(): ControlGroup {
    const name = this.#free() ?? this.#make();
    this.#inUse.add(name);
    return {
      start: (start) => this.#startIn(join(this.#work, name), start),
      kills: () => this.#kills(name),
      freeze: (frozen) => this.#write(name, 'cgroup.freeze', frozen ? '1' : '0'),
      release: () => void this.#inUse.delete(name),
    };
  }

  #free(): string | undefined {
    return this.#names().find((name) => !this.#inUse.has(name) && this.#isFree(name));
  }

  #names(): string[] {
    return readdirSync(this.#work, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))
      .map(({ name }) => name);
  }

  /** Root in the guest may have removed the group. */
  #kills(name: string): number {
    try {
      return killsIn(this.#read(name, 'memory.events'));
    } catch {
      return 0;
    }
  }

  /** In a frozen one, this process would stop for ever. */
  #isFree(name: string): boolean {
    return /^populated 0$/m.test(this.#read(name, 'cgroup.events')) && this.#read(name, 'cgroup.freeze').trim() === '0';
  }

  #read(name: string, file: string): string {
    return readFileSync(join(this.#work, name, file), 'latin1');
  }

  #write(name: string, file: string, text: string): void {
    writeFileSync(join(this.#work, name, file), text);
  }

  #make(): string {
    const name = String(Math.max(0, ...this.#names().map(Number)) + 1);
    mkdirSync(join(this.#work, name));
    this.#limit(name);
    return name;
  }

  #limit(name: string): void {
    this.#write(name, 'memory.max', String(this.#limits.commandBytes));
    this.#write(name, 'pids.max', String(this.#limits.commandProcesses));
  }

  /** A child begins in the group of its parent: this process is in it for the moment of the fork. */
  #startIn<T extends { pid: number | undefined }>(dir: string, start: () => T): T {
    writeFileSync(join(dir, 'cgroup.procs'), '0');
    try {
      const started = start();
      if (started.pid !== undefined) expose(dir);
      return started;
    } finally {
      writeFileSync(join(this.#root, 'cgroup.procs'), '0');
    }
  }
}

/**
 * The processes of the group inherited from this one that lack of memory never ends them: takes that back. Each round may find children that
 * were started before their parent was reached, and the last round finds none.
 */
function expose(dir: string): void {
  for (let found = true; found; ) {
    found = false;
    for (const pid of readFileSync(join(dir, 'cgroup.procs'), 'latin1').split('\n'))
      if (pid !== '' && Number(pid) !== process.pid && exposeOne(pid)) found = true;
  }
}

function exposeOne(pid: string): boolean {
  const score = `/proc/${pid}/oom_score_adj`;
  try {
    if (readFileSync(score, 'latin1').trim() !== '-1000') return false;
    writeFileSync(score, '0');
    return true;
  } catch {
    // It has ended.
    return false;
  }
}
