/** Operations on the guest as a whole: clock, trust, preparation of a snapshot, shutdown. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Calls } from '../protocol/messages.ts';
import { JAVA_STORE, SYSTEM_BUNDLE } from '../setup/operations.ts';
import { keyStoreOf } from './key-store.ts';
import type { Syscalls } from './syscalls.ts';

type Call<K extends keyof Calls> = (ask: Calls[K]['ask']) => Promise<Calls[K]['answer']>;

export interface System {
  clock: Call<'clock'>;
  trusted: Call<'trusted'>;
  prepareSnapshot: Call<'prepare-snapshot'>;
  shutdown: Call<'shutdown'>;
}

/** Environment of every command, overridden by that of the request */
export const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbx/bin',
  LANG: 'C.UTF-8',
};

export function createSystem(syscalls: Syscalls): System {
  return {
    async clock({ forwardMs, entropy }) {
      if (entropy !== undefined) await syscalls([{ op: 'entropy', bytes: Buffer.from(entropy, 'base64') }]);
      if (forwardMs !== undefined) {
        const to = BigInt(Math.round(Date.now() + forwardMs));
        await syscalls([{ op: 'clock', seconds: to / 1000n, nanoseconds: (to % 1000n) * 1_000_000n }]);
      }
      return { nowMs: Date.now() };
    },
    async trusted() {
      trustInJava();
      return { ok: true };
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
        // Remounts all file systems read-only first, so that the disk is clean.
        writeFileSync('/proc/sysrq-trigger', 'u');
        setTimeout(() => void syscalls([{ op: 'reboot' }]).catch(() => {}), 100);
      }, 20);
      return { ok: true };
    },
  };
}

/** For every command: the kernel's 1,024 and 4,096 are too few for databases, bundlers and file watchers. Node raises its own to the hard one. */
export function limitOpenFiles(syscalls: Syscalls): void {
  syscalls([{ op: 'open-files', pid: process.pid, soft: 65_536, hard: 524_288 }]).catch((error: Error) => {
    process.stderr.write(`sbx-agent: ${error.message}\n`);
  });
}

/** Rebuilds Java's trust store from the bundle, if there is one. After a failure only Java cannot reach intercepted hosts. */
function trustInJava(): void {
  if (!existsSync(JAVA_STORE)) return;
  try {
    writeFileSync(JAVA_STORE, keyStoreOf(readFileSync(SYSTEM_BUNDLE, 'latin1')));
  } catch (error) {
    process.stderr.write(`sbx-agent: ${JAVA_STORE}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
