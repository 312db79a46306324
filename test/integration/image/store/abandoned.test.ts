/** Machines of builds: they outlive a builder that was killed, and are ended by the next daemon. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { endAbandoned } from '../../../../lib/image/bake/bake-paths.ts';
import { openStore } from '../../../../lib/image/store/store.ts';
import { startTimeOf } from '../../../../lib/system/process-identity.ts';
import { createQemuDriver } from '../../../../lib/vm/qemu/driver.ts';

test('of a dead builder are ended and their folder is removed; those of a living one continue', async () => {
  const root = mkdtempSync(join(tmpdir(), 'sbx-abandoned-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const store = openStore(root);
  const own = `packages-living.${process.pid}.${startTimeOf(process.pid)}`;
  const living = machineIn(join(root, 'tmp', own));
  // This process began at another time: who has that name is dead.
  const dead = machineIn(join(root, 'tmp', `packages-dead.${process.pid}.1`));
  const ended = once(dead, 'exit');
  await Promise.all([once(living, 'spawn'), once(dead, 'spawn')]);
  await endAbandoned(store, createQemuDriver({ probeCache: join(root, 'probes.json') }));
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(living.exitCode ?? living.signalCode).toBeNull();
  expect(readdirSync(join(root, 'tmp')).toSorted()).toEqual([own, `${own}.building`]);
  living.kill('SIGKILL');
});

/** A process that has the sign of a machine in its command line, as QEMU has. */
function machineIn(dir: string): ChildProcess {
  mkdirSync(join(dir, 'vm'), { recursive: true });
  // As every builder has it beside its folder.
  writeFileSync(`${dir}.building`, '{}');
  return spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', `sbx-vm:${join(dir, 'vm')}`], {
    stdio: 'ignore',
  });
}
