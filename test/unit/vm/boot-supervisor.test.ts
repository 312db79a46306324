import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SbxError } from '../../../lib/errors.ts';
import { bootSupervised } from '../../../lib/vm/boot-supervisor.ts';
import type { VmConfig, VmDriver, VmPaths } from '../../../lib/vm/driver.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-supervise-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const died = () => new SbxError('vm-boot-failed', 'the virtual machine ended while it started');

/** A driver whose machines all die while they boot (a test double: real ones are in the e2e tests). */
function dying({ atBoot, atDestroy }: { atBoot?: () => void; atDestroy?: () => void }) {
  const calls: string[] = [];
  const driver = {
    boot: async () => {
      calls.push('boot');
      atBoot?.();
      throw died();
    },
    destroy: async () => {
      calls.push('destroy');
      atDestroy?.();
    },
  } as unknown as VmDriver;
  const boot = (signal?: AbortSignal) =>
    bootSupervised(driver, {} as VmConfig, { console: join(dir, 'console') } as VmPaths, { attempts: 2, signal });
  return { boot, calls };
}

describe('a boot that failed', () => {
  test('is tried once more', async () => {
    const { boot, calls } = dying({});
    await expect(boot(new AbortController().signal)).rejects.toMatchObject({ code: 'vm-boot-failed' });
    expect(calls).toEqual(['boot', 'destroy', 'boot', 'destroy']);
  });

  test.each(['atBoot', 'atDestroy'])('is not when it was given up (%s): the reason is told', async (when) => {
    const abort = new AbortController();
    const { boot, calls } = dying({ [when]: () => abort.abort(new SbxError('cancelled', 'given up')) });
    await expect(boot(abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(calls).toEqual(['boot', 'destroy']);
  });
});
