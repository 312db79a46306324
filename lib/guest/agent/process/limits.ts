/**
 * Divides the guest's memory and process numbers between the user's commands and the agent with its helpers. Pure.
 *
 * There is no `memory.high`: above it the kernel only slows processes down, so that a command that needs more would neither end nor answer.
 */

const MIB = 1024 ** 2;

export interface Limits {
  /** For all commands together, bytes. The rest is left to the kernel, the agent and the workspace's relay */
  memoryBytes: number;
  /** For one command with all of its processes, bytes: when it is full, a second command still starts */
  commandBytes: number;
  /** Processes and threads of all commands together */
  processes: number;
  /** Processes and threads of one command */
  commandProcesses: number;
}

/** `totalBytes`: memory of the guest, as its kernel counts it. */
export function limitsOf(totalBytes: number): Limits {
  const memoryBytes = pages(totalBytes - Math.min(totalBytes / 2, 96 * MIB + totalBytes / 32));
  const commandProcesses = Math.min(16_384, Math.max(1024, Math.floor((2 * totalBytes) / MIB)));
  return {
    memoryBytes,
    commandBytes: pages(memoryBytes - Math.min(memoryBytes / 16, 64 * MIB)),
    processes: 3 * commandProcesses,
    commandProcesses,
  };
}

/** MemTotal of /proc/meminfo, in bytes. @throws Error when the text has none. */
export function memoryTotal(meminfo: string): number {
  const kib = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  if (kib === undefined) throw new Error('/proc/meminfo has no MemTotal');
  return Number(kib) * 1024;
}

/** Processes that the kernel has ended for lack of memory, in the text of memory.events or /proc/vmstat. */
export function killsIn(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

function pages(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}
