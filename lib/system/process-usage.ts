/** What a process and all that it started use of this host. */
import { readdir, readFile } from 'node:fs/promises';

/** The kernel's unit in /proc/PID/stat, on every architecture that Node runs on */
const TICK_MS = 10;

export interface ProcessUsage {
  /** Time of processors, since the processes started */
  cpuMs: number;
  /** Memory that several processes share counts in parts */
  memoryBytes: number;
}

/** Undefined: it has ended. Those of its children that have ended do not count. */
export async function processUsage(pid: number): Promise<ProcessUsage | undefined> {
  const own = await usageOf(pid);
  if (own === undefined) return undefined;
  const below = await Promise.all((await childrenOf(pid)).map(processUsage));
  return below.reduce<ProcessUsage>(
    (sum, one) => ({
      cpuMs: sum.cpuMs + (one?.cpuMs ?? 0),
      memoryBytes: sum.memoryBytes + (one?.memoryBytes ?? 0),
    }),
    own,
  );
}

async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  try {
    const cpuMs = cpuMsIn(await readFile(`/proc/${pid}/stat`, 'latin1'));
    return { cpuMs, memoryBytes: await memoryOf(pid) };
  } catch {
    return undefined;
  }
}

/** Of /proc/PID/stat; the name of the process, in brackets, may contain anything. */
export function cpuMsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Shared parts count fully where the kernel does not tell them apart for this user. */
async function memoryOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '');
  const proportional = kibIn(rollup, 'Pss');
  return (proportional ?? kibIn(await readFile(`/proc/${pid}/status`, 'latin1'), 'VmRSS') ?? 0) * 1024;
}

function kibIn(text: string, field: string): number | undefined {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return kib === undefined ? undefined : Number(kib);
}

/** Of all threads: the child of a thread is a child of its process. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'latin1').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}
