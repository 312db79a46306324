/** Names one process for ever, by its pid and start time. */
import { readFileSync } from 'node:fs';

/** Start time of a process in clock ticks since boot, from /proc/PID/stat; undefined once it has ended. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not waited for it yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isAlive(process_: { pid: number; startTime: string }): boolean {
  return startTimeOf(process_.pid) === process_.startTime;
}
