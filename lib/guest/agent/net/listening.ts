/** Lists the TCP services inside that a port of the host can lead to: those on 127.0.0.1, ::1 or all addresses. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ListeningPort } from '../../protocol/messages.ts';

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const LISTEN = '0A';
/** As in the tables: any and loopback, of IPv4 and IPv6 */
const REACHED = new Set(['00000000', '0100007F', '0'.repeat(32), `${'0'.repeat(24)}01000000`]);
/** More are not listed */
const PORTS_MAX = 64;
const NAME_MAX = 15;

interface Row {
  port: number;
  inode: string;
}

/** Without those of this process: its DNS and its redirect. The lowest first. */
export async function listening(): Promise<ListeningPort[]> {
  const tables = await Promise.all(TABLES.map((path) => readFile(path, 'utf8').catch(() => '')));
  const own = new Set(await socketsOf('self'));
  const rows = tables.flatMap(listenersIn).filter(({ inode }) => !own.has(inode));
  const programs = await programsOf(new Set(rows.map(({ inode }) => inode)));
  const byPort = new Map(rows.map(({ port, inode }) => [port, programs.get(inode)]));
  return [...byPort]
    .toSorted(([one], [other]) => one - other)
    .slice(0, PORTS_MAX)
    .map(([port, program]) => ({ port, ...(program === undefined ? {} : { program }) }));
}

/** The listeners in a table of the kernel. */
export function listenersIn(table: string): Row[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    return state === LISTEN && REACHED.has(address) ? [{ port: Number.parseInt(port, 16), inode }] : [];
  });
}

/** Inode of a socket → name of a process that has it */
async function programsOf(wanted: ReadonlySet<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const pid of await readdir('/proc')) {
    if (found.size === wanted.size) break;
    if (!/^\d+$/.test(pid)) continue;
    const sockets = (await socketsOf(pid)).filter((inode) => wanted.has(inode) && !found.has(inode));
    if (sockets.length === 0) continue;
    const name = await nameOf(pid);
    for (const inode of sockets) found.set(inode, name);
  }
  return found;
}

/** As it was called: the kernel's own name is that of a thread. */
async function nameOf(pid: string): Promise<string> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return basename(line.split('\0')[0] ?? '').slice(0, NAME_MAX);
}

async function socketsOf(pid: string): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  // A process that ends meanwhile has none.
  const names = await readdir(folder).catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}
