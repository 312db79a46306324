/** The guest as a whole: becoming a sandbox of its own after a clone, getting ready for a snapshot, ending. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Failure } from '../failure.ts';
import type { Calls, GuestMount, ResumeRequest } from '../services.ts';
import { keyStoreOf } from './key-store.ts';
import type { Operation, Syscalls } from './syscalls.ts';

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

/** `mounts`: a second helper, which works beside the first. */
export function createSystem(syscalls: Syscalls, mounts: Syscalls): System {
  let env: Record<string, string> = DEFAULT_ENV;
  const configure: System['configure'] = async (ask) => {
    env = { ...DEFAULT_ENV, ...ask.env };
    return { ok: true };
  };
  return {
    environment: () => env,
    configure,
    async resume(ask) {
      const from = performance.now();
      // Both at once: two processors translate twice the code in the same time.
      await Promise.all([syscalls(becoming(ask)), mounts(mounting(ask.mounts))]).catch((error: Error) => {
        throw new Failure('workspace', 'the sandbox could not be set up', { why: error.message, cause: error });
      });
      if (ask.ca !== '') trustInJava();
      await configure({ env: ask.env });
      return { durationMs: Math.round((performance.now() - from) * 10) / 10 };
    },
    async prepareSnapshot(ask) {
      await syscalls([{ op: 'sync' }]);
      if (ask.dropCaches === true) writeFileSync('/proc/sys/vm/drop_caches', '3');
      (globalThis as { gc?: () => void }).gc?.();
      return { ok: true };
    },
    async shutdown() {
      await syscalls([{ op: 'sync' }]);
      setTimeout(() => {
        // Everything still mounted is made read-only first, so that the disk is clean.
        writeFileSync('/proc/sysrq-trigger', 'u');
        setTimeout(() => void syscalls([{ op: 'reboot' }]).catch(() => {}), 100);
      }, 20);
      return { ok: true };
    },
  };
}

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const JAVA_STORE = '/etc/ssl/certs/java/cacerts';

/** Only where there is a Java: its store is made anew from the bundle. A failure costs Java the intercepted hosts, nothing else. */
function trustInJava(): void {
  if (!existsSync(JAVA_STORE)) return;
  try {
    writeFileSync(JAVA_STORE, keyStoreOf(readFileSync(BUNDLE, 'latin1')));
  } catch (error) {
    process.stderr.write(`sbx-agent: ${JAVA_STORE}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** Entropy and clock come first: whatever is random or dated after them is the clone's own. */
function becoming(ask: ResumeRequest): Operation[] {
  const time = BigInt(ask.timeNs);
  const { hostname } = ask;
  return [
    { op: 'entropy', bytes: Buffer.from(ask.entropy, 'base64') },
    { op: 'clock', seconds: time / 1_000_000_000n, nanoseconds: time % 1_000_000_000n },
    { op: 'host', name: hostname },
    { op: 'write', path: '/etc/machine-id', text: `${ask.machineId}\n` },
    { op: 'write', path: '/etc/hostname', text: `${hostname}\n` },
    ...(ask.ca === '' ? [] : [{ op: 'trust', certificate: ask.ca } satisfies Operation]),
    { op: 'write', path: '/etc/hosts', text: `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n` },
  ];
}

function mounting(mounts: GuestMount[]): Operation[] {
  if (mounts.length === 0) return [];
  return [
    { op: 'folder', path: EXPORT, mode: 0o700 },
    { op: 'mount', source: 'export', target: EXPORT, type: '9p', data: EXPORT_OPTIONS },
    ...mounts.map(({ source, target }): Operation => ({ op: 'bind', source: `${EXPORT}/${source}`, target })),
  ];
}
