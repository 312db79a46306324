/** Starts commands, each in a control group of its own where there are any, and reports those that ran out of memory. */
import { readFileSync } from 'node:fs';
import type { Calls, ExecRequest, ExecResult } from '../../protocol/messages.ts';
import type { Command } from './command.ts';
import { type ControlGroup, ControlGroups } from './control-groups.ts';
import { killsIn, limitsOf, memoryTotal } from './limits.ts';
import { endSession } from './process-session.ts';
import { type Running, startProcess } from './running.ts';

type OutOfMemory = NonNullable<Calls['ping']['answer']['outOfMemory']>;

export class Workload {
  readonly #groups: ControlGroups | undefined;
  /** Processes that the kernel ended before these were counted */
  #before = killsOfSystem();
  #known: OutOfMemory | undefined;

  /** `cgroups`: where cgroup2 is mounted; undefined, as on a host: commands are not limited. */
  constructor(cgroups: string | undefined) {
    this.#groups = cgroups === undefined ? undefined : openGroups(cgroups);
  }

  start(command: Command, request: Pick<ExecRequest, 'tty' | 'stdin'>): Running {
    const group = this.#take();
    if (group === undefined) return startProcess(command, request);
    const before = group.kills();
    const running = group.start(() => startProcess(command, request));
    return {
      ...running,
      exit: running.exit.then((result) => {
        const killed = group.kills() > before;
        group.release();
        return killed && !(result instanceof Error) && result.code !== 0
          ? ({ ...result, outOfMemory: true } satisfies ExecResult)
          : result;
      }),
      end: () => endSession(running.pid, (frozen) => group.freeze(frozen)),
    };
  }

  /** What the kernel ended for lack of memory since `forget`; undefined: nothing. `at` is the time of the call that found it first. */
  outOfMemory(): OutOfMemory | undefined {
    const kills = killsOfSystem() - this.#before;
    if (kills > (this.#known?.kills ?? 0)) this.#known = { kills, at: new Date().toISOString() };
    return this.#known;
  }

  /** A snapshot is to begin without a past. */
  forget(): void {
    this.#before = killsOfSystem();
    this.#known = undefined;
  }

  /** A command without limits is better than none. */
  #take(): ControlGroup | undefined {
    try {
      return this.#groups?.take();
    } catch (error) {
      process.stderr.write(`sbx-agent: no control group: ${(error as Error).message}\n`);
      return undefined;
    }
  }
}

function openGroups(root: string): ControlGroups | undefined {
  try {
    return new ControlGroups(root, limitsOf(memoryTotal(readFileSync('/proc/meminfo', 'latin1'))));
  } catch (error) {
    process.stderr.write(`sbx-agent: commands are not limited: ${(error as Error).message}\n`);
    return undefined;
  }
}

function killsOfSystem(): number {
  return killsIn(readFileSync('/proc/vmstat', 'latin1'));
}
