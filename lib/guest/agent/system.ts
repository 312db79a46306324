/** The guest as a whole: becoming a sandbox of its own after a clone, getting ready for a snapshot, ending. */
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../failure.ts';
import type { Calls, GuestMount, ResumeRequest } from '../services.ts';
import { MS_BIND, type Syscalls } from './syscalls.ts';

type Call<K extends keyof Calls> = (ask: Calls[K]['ask']) => Promise<Calls[K]['answer']>;

export interface System {
  environment(): Record<string, string>;
  resume: Call<'resume'>;
  configure: Call<'configure'>;
  prepareSnapshot: Call<'prepare-snapshot'>;
  shutdown: Call<'shutdown'>;
}

/** The exported folder of the host, for root only; its parts are bound to where they belong */
const EXPORT = '/run/sbx/export';

// Writable maps need `mmap`; `any`: the host's user owns everything, whoever asks.
const EXPORT_OPTIONS = 'trans=virtio,version=9p2000.L,msize=524288,cache=mmap,access=any';

const DEFAULT_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbx/bin',
  LANG: 'C.UTF-8',
};

export function createSystem(syscalls: Syscalls): System {
  let env: Record<string, string> = DEFAULT_ENV;
  const configure: System['configure'] = async (ask) => {
    env = { ...DEFAULT_ENV, ...ask.env };
    return { ok: true };
  };
  return {
    environment: () => env,
    configure,
    async resume(ask) {
      const stepsMs: Record<string, number> = {};
      const step = async (name: string, work: () => Promise<unknown> | unknown) => {
        const from = performance.now();
        await work();
        stepsMs[name] = Math.round((performance.now() - from) * 10) / 10;
      };
      await step('entropy', () => syscalls.entropy(Buffer.from(ask.entropy, 'base64')));
      await step('clock', () =>
        syscalls.setClock(BigInt(ask.timeNs) / 1_000_000_000n, BigInt(ask.timeNs) % 1_000_000_000n),
      );
      await step('identity', () => takeIdentity(ask, syscalls));
      await step('mounts', () => mountAll(ask.mounts, syscalls));
      await step('environment', () => configure({ env: ask.env }));
      return { stepsMs };
    },
    async prepareSnapshot(ask) {
      await syscalls.sync();
      if (ask.dropCaches === true) writeFileSync('/proc/sys/vm/drop_caches', '3');
      (globalThis as { gc?: () => void }).gc?.();
      return { ok: true };
    },
    async shutdown() {
      await syscalls.sync();
      setTimeout(() => {
        // Everything still mounted is made read-only first, so that the disk is clean.
        writeFileSync('/proc/sysrq-trigger', 'u');
        setTimeout(() => void syscalls.reboot().catch(() => {}), 100);
      }, 20);
      return { ok: true };
    },
  };
}

async function takeIdentity(ask: ResumeRequest, syscalls: Syscalls): Promise<void> {
  await syscalls.setHostname(ask.hostname);
  writeFileSync('/etc/machine-id', `${ask.machineId}\n`);
  writeFileSync('/etc/hostname', `${ask.hostname}\n`);
  writeFileSync('/etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${ask.hostname}\n`);
}

async function mountAll(mounts: GuestMount[], syscalls: Syscalls): Promise<void> {
  if (mounts.length === 0) return;
  mkdirSync(EXPORT, { recursive: true, mode: 0o700 });
  const mounted = new Set(
    readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1]?.replaceAll('\\040', ' ')),
  );
  if (!mounted.has(EXPORT)) await syscalls.mount('export', EXPORT, '9p', 0, EXPORT_OPTIONS);
  for (const { source, target } of mounts) {
    if (mounted.has(target)) continue;
    const from = `${EXPORT}/${source}`;
    makeMountPoint(target, statSync(from).isDirectory());
    await syscalls.mount(from, target, 'none', MS_BIND, '');
  }
}

function makeMountPoint(target: string, directory: boolean): void {
  if (existsSync(target)) {
    if (lstatSync(target).isSymbolicLink())
      throw new Failure('workspace', `${target} is a symbolic link in the sandbox`, {
        hint: 'mount it somewhere else',
      });
    return;
  }
  mkdirSync(directory ? target : dirname(target), { recursive: true });
  if (!directory) writeFileSync(target, '');
}
