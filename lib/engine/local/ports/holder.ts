/** Finds the process that listens on a TCP port, by /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';

/** `node (pid 42)`, `another user's process`. What another process does meanwhile may change the answer. */
export async function holderOf(port: number): Promise<string> {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listenersIn(file, port)));
  if (inodes.size === 0) return 'a connection that is still open';
  for (const pid of processes()) {
    if (holds(`/proc/${pid}/fd`, inodes)) return `${programOf(`/proc/${pid}`)} (pid ${pid})`;
    // This process carries the connections of all sandboxes.
    await turn();
  }
  return "another user's process";
}

const LISTEN = '0A';

/** Inodes of the sockets that listen on the port, on any address: `sl local_address rem_address st … inode`. */
function listenersIn(file: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return attempt(() => readFileSync(file, 'utf8').split('\n').slice(1), []).flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const isOurs = fields[1]?.endsWith(`:${hex}`) === true && fields[3] === LISTEN;
    return isOurs && fields[9] !== undefined ? [fields[9]] : [];
  });
}

function processes(): string[] {
  return attempt(() => readdirSync('/proc'), []).filter((name) => /^\d+$/.test(name));
}

/** Folders of other users' processes cannot be read. */
function holds(dir: string, inodes: ReadonlySet<string>): boolean {
  return attempt(() => readdirSync(dir), []).some((fd) => {
    const target = attempt(() => readlinkSync(`${dir}/${fd}`), '');
    return inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '');
  });
}

/** The name that it was started by, else what the kernel calls it. Not more: arguments may hold secrets. */
function programOf(dir: string): string {
  const [command = ''] = attempt(() => readFileSync(`${dir}/cmdline`, 'utf8'), '').split('\0');
  const name = command.split('/').at(-1) || attempt(() => readFileSync(`${dir}/comm`, 'utf8').trim(), '');
  return name.replaceAll(/[^\x20-\x7e]/g, '?') || 'a program';
}

function attempt<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch {
    return otherwise;
  }
}
