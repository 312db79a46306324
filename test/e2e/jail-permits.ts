import { execFileSync } from 'node:child_process';
import { readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { versionAtLeast } from '../../lib/vm/qemu/args.ts';
import { HOME, json, qemuPid, type Status } from './harness.ts';
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
    ...['egress', 'empty'].map((part) => ({ path: own(part) })),
    ...layers.map((path) => ({ path, below: true })),
    // See docs/security.md, "Not promised".
    ...(opensMemoryToRead(pid) ? [] : [{ path: memory, writable: true }]),
    { path: dir, below: true, writable: true },
  ];
  return { ...detail, pid, permitted };
}

/** QEMU of old opens the memory of a snapshot to write, whatever it does with it. */
function opensMemoryToRead(pid: number): boolean {
  const version = execFileSync(readlinkSync(`/proc/${pid}/exe`), ['--version'], { encoding: 'utf8' });
  return versionAtLeast(/version (\d+\.\d+)/.exec(version)?.[1] ?? '', 8, 2);
}
