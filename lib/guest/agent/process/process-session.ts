/** Sends signals to a command and all processes of its session: every command leads a session of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';

const KILL_AFTER_MS = 2_000;
const POLL_MS = 100;

/** Signals the command's process group, as a terminal's key would. Unknown signals are ignored. */
export function signalGroup(leader: number | undefined, signal: string): void {
  if (leader === undefined || !Object.hasOwn(constants.signals, signal)) return;
  try {
    process.kill(-leader, signal as NodeJS.Signals);
  } catch {
    // The group has ended already.
  }
}

/**
 * Ends every process of the session, also the jobs that a shell put into groups of their own: terminated first, killed after two seconds. A
 * process that created a session of its own (a daemon) continues. `freeze` stops and resumes all processes that may be of the session: without
 * it one that starts others faster than they are found would never end.
 */
export function endSession(leader: number | undefined, freeze: (frozen: boolean) => void = () => {}): void {
  if (leader === undefined) return;
  const deadline = Date.now() + KILL_AFTER_MS;
  // The group is signalled at once, without a scan; then all other members.
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGCONT']) signalGroup(leader, signal);
  const signalled = new Set<number>();
  let frozen = false;
  const hold = (wanted: boolean) => {
    if (wanted !== frozen) freeze(wanted);
    frozen = wanted;
  };
  const scan = () => {
    if (Date.now() >= deadline) hold(true);
    const left = membersOf(leader);
    for (const pid of left) {
      if (Date.now() >= deadline) kill(pid, 'SIGKILL');
      else if (!signalled.has(pid)) for (const signal of ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const) kill(pid, signal);
      signalled.add(pid);
    }
    // A pid in use as a session id is not reused, so these are the right processes until the last has ended.
    if (left.length > 0) setTimeout(scan, POLL_MS);
    else hold(false);
  };
  setImmediate(scan);
}

function membersOf(session: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => sessionOf(pid) === session)
    .map(Number);
}

/** Undefined: the process has ended, or is a zombie. */
function sessionOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may contain any character.
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
