/** Signals for a command and all that belongs to it: every command leads a session of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';

const KILL_AFTER_MS = 2_000;
const LOOK_MS = 100;

/** To the command's process group, as a terminal's key would send it. Unknown signals do nothing. */
export function signalGroup(leader: number | undefined, signal: string): void {
  if (leader === undefined || !Object.hasOwn(constants.signals, signal)) return;
  try {
    process.kill(-leader, signal as NodeJS.Signals);
  } catch {
    // The group has ended already.
  }
}

/**
 * Ends every process of the session, also the jobs that a shell put into groups of their own: asked first, killed after two seconds. A
 * process that made a session of its own (a daemon) goes on.
 */
export function endSession(leader: number | undefined): void {
  if (leader === undefined) return;
  const deadline = Date.now() + KILL_AFTER_MS;
  // At once for the group, without a look around; then for whoever else is found.
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGCONT']) signalGroup(leader, signal);
  const asked = new Set<number>();
  const look = () => {
    const left = membersOf(leader);
    for (const pid of left) {
      if (Date.now() >= deadline) kill(pid, 'SIGKILL');
      else if (!asked.has(pid)) for (const signal of ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const) kill(pid, signal);
      asked.add(pid);
    }
    // A number in use by a session is not given out again, so these are the right ones until the last has gone.
    if (left.length > 0) setTimeout(look, LOOK_MS);
  };
  setImmediate(look);
}

function membersOf(session: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => sessionOf(pid) === session)
    .map(Number);
}

/** Undefined for one that has gone, or waits for its parent only. */
function sessionOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything.
    const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(session);
  } catch {
    return undefined;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
