/** What this guest uses: processors, memory, disk, processes. */
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { GuestUsage } from '../protocol/messages.ts';
import { memoryTotal } from './process/limits.ts';

/** The kernel's unit in /proc/stat, on every architecture that Node runs on */
const TICK_MS = 10;
/** The kernel's own have low numbers; of more processes only the number is taken */
const READ_MAX = 2_000;

export function usageOfGuest(): GuestUsage {
  const { blocks, bfree, bsize } = statfsSync('/');
  const meminfo = readFileSync('/proc/meminfo', 'latin1');
  const memoryBytes = memoryTotal(meminfo);
  return {
    cpuMs: busyMs(readFileSync('/proc/stat', 'latin1')),
    memoryUsedBytes: memoryBytes - availableBytes(meminfo),
    memoryBytes,
    diskUsedBytes: (blocks - bfree) * bsize,
    diskBytes: blocks * bsize,
    processes: processes(),
  };
}

/** Of the first line of /proc/stat, without idle time, and without waiting for the disk. */
export function busyMs(stat: string): number {
  const fields = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number);
  const [user = 0, nice = 0, system = 0, _idle, _wait, irq = 0, softirq = 0] = fields;
  return (user + nice + system + irq + softirq) * TICK_MS;
}

/** Of /proc/meminfo: what new programs could take, with caches that the kernel gives up for them. */
export function availableBytes(meminfo: string): number {
  return Number(/^MemAvailable: +(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;
}

/** Without the kernel's own. */
function processes(): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.length - pids.slice(0, READ_MAX).filter(isOfKernel).length;
}

/** All of them are children of number 2. */
function isOfKernel(pid: string): boolean {
  if (pid === '2') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === '2';
  } catch {
    // It has ended.
    return false;
  }
}
