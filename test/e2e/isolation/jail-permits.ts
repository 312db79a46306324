import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { versionAtLeast } from '../../../lib/vm/qemu/process/args.ts';
import { HOME, json, qemuPid, SBX, type Status } from '../harness.ts';
import type { Permitted } from './jail-view.ts';

/** The kernel's name */
export const STATE = realpathSync(HOME);

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'kvm'].map((name) => `/dev/${name}`);

/** A sandbox, with all that its jail may show of the host. */
export async function permittedTo(dir: string, name: string) {
  const detail = await json<Status & { layers: { kind: string; key: string }[] }>(['inspect', name], { cwd: dir });
  const pid = qemuPid(detail.id);
  const own = (part: string) => join(STATE, 'instances', detail.id, part);
  const layers = detail.layers.map(({ kind, key }) => join(STATE, 'store', `${kind}-${key}`));
  const memory = join(STATE, 'store', `warm-${detail.snapshot}`, 'ram');
  const permitted: Permitted[] = [
    { path: '/usr', below: true },
    { path: '/etc/ld.so.cache' },
    ...DEVICES.map((path) => ({ path, writable: true })),
    ...['run', 'console.log', 'disk.qcow2'].map((part) => ({ path: own(part), writable: true })),
    { path: own('egress') },
    { path: linkOf(detail.id), writable: true },
    ...layers.map((path) => ({ path, below: true })),
    // See docs/security.md, "Not promised".
    ...(opensMemoryToRead(pid) ? [] : [{ path: memory, writable: true }]),
  ];
  return { ...detail, pid, permitted };
}

/** The workspace server of a sandbox, with all that its jail may show of the host. */
export function permittedToServer(id: string, dir: string): { pid: number; permitted: Permitted[] } {
  const { key } = recordOf(id);
  const own = (part: string) => join(STATE, 'workspaces', key, part);
  const require = createRequire(SBX);
  const koffi = dirname(realpathSync(require.resolve('koffi')));
  const permitted: Permitted[] = [
    { path: '/usr', below: true },
    { path: '/etc/ld.so.cache' },
    ...DEVICES.map((path) => ({ path, writable: true })),
    { path: realpathSync(join(dirname(SBX), '../dist')) },
    { path: koffi },
    { path: join(dirname(koffi), '@koromix'), below: true },
    { path: process.execPath },
    { path: own('shared'), writable: true },
    { path: dir, writable: true },
  ];
  return { pid: childPidOf(own('process.json')), permitted };
}

/** From bubblewrap's status. */
export function childPidOf(file: string): number {
  const [first = ''] = readFileSync(file, 'utf8').split('\n');
  return (JSON.parse(first) as { 'child-pid': number })['child-pid'];
}

function recordOf(id: string): { key: string; link: string } {
  return JSON.parse(readFileSync(join(STATE, 'instances', id, 'workspace.json'), 'utf8')) as {
    key: string;
    link: string;
  };
}

/** Where QEMU meets the workspace server */
function linkOf(id: string): string {
  const { key, link } = recordOf(id);
  return join(STATE, 'workspaces', key, 'shared/links', link);
}

/** QEMU of old opens the memory of a snapshot to write, whatever it does with it. */
function opensMemoryToRead(pid: number): boolean {
  const version = execFileSync(readlinkSync(`/proc/${pid}/exe`), ['--version'], { encoding: 'utf8' });
  return versionAtLeast(/version (\d+\.\d+)/.exec(version)?.[1] ?? '', 8, 2);
}
