/** A running machine under other names. Its process is a test double: one that sleeps, with the marker in its command line. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { homeOf, instancePaths } from '../../../../lib/paths.ts';
import { isAlive, startTimeOf } from '../../../../lib/system/process-identity.ts';
import type { VmPaths } from '../../../../lib/vm/driver.ts';
import { createQemuDriver } from '../../../../lib/vm/qemu/driver.ts';
import { markerOf } from '../../../../lib/vm/qemu/process/vm-process.ts';

let root: string;
const driver = createQemuDriver({ probeCache: '/nonexistent' });
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-mv-'));
});
afterEach(async () => {
  for (const name of ['pool', 'shop']) await driver.destroy(paths(name));
  rmSync(root, { recursive: true, force: true });
});

function paths(name: string): VmPaths {
  const all = instancePaths(homeOf({ SBX_HOME: root }), name);
  for (const dir of [all.dir, all.run, all.egress]) mkdirSync(dir, { recursive: true });
  return all;
}

/** A "machine" with its files, as bubblewrap leaves them. */
async function machineAt(at: VmPaths) {
  const child = spawn('sh', ['-c', 'sleep 1000 & wait', markerOf(at)], { detached: true, stdio: 'ignore' });
  await new Promise((resolve) => child.once('spawn', resolve));
  const pid = child.pid ?? 0;
  writeFileSync(at.process, `{"child-pid": ${pid}}\n`);
  writeFileSync(at.console, 'its console\n');
  writeFileSync(join(at.run, 'qmp'), 'its monitor');
  return { pid, startTime: startTimeOf(pid) ?? '' };
}

test('it is found at its new place, with its files, and no longer at the old one', async () => {
  const [from, to] = [paths('pool'), paths('shop')];
  const vm = await machineAt(from);
  writeFileSync(to.console, 'of a machine before\n');
  writeFileSync(join(to.egress, 'proxy'), 'of a machine before');
  driver.move(from, to);
  expect(driver.find(to)).toMatchObject(vm);
  expect(driver.find(from)).toBeUndefined();
  expect(readFileSync(to.console, 'utf8')).toBe('its console\n');
  expect(readFileSync(to.qmp, 'utf8')).toBe('its monitor');
  expect(existsSync(join(to.egress, 'proxy'))).toBe(false);
  await driver.destroy(to);
  expect(isAlive(vm)).toBe(false);
});

test('after its end the place is free for one that starts there', async () => {
  const [from, to] = [paths('pool'), paths('shop')];
  await machineAt(from);
  driver.move(from, to);
  await driver.destroy(to);
  const elsewhere = await machineAt(paths('pool'));
  const own = await machineAt(to);
  expect(driver.find(to)).toMatchObject(own);
  await driver.destroy(to);
  // What is in the folder that the first one came from is another's.
  expect(isAlive(elsewhere)).toBe(true);
  expect(isAlive(own)).toBe(false);
});

test('cut off anywhere, it ends with its old place, and with its new one', async () => {
  for (const last of ['pool', 'shop']) {
    const [from, to] = [paths('pool'), paths('shop')];
    const vm = await machineAt(from);
    // Nothing can be put over a folder that is a file: the move fails half-way.
    rmSync(to.console, { force: true });
    mkdirSync(join(to.console, 'in-the-way'), { recursive: true });
    expect(() => driver.move(from, to)).toThrow();
    await driver.destroy(paths(last));
    expect(isAlive(vm)).toBe(false);
    rmSync(to.console, { recursive: true });
  }
});

test('a VM whose folder differs only by a comma is neither found nor destroyed', async () => {
  const [comma, other] = [paths('a,b'), paths('a_b')];
  const [first, second] = [await machineAt(comma), await machineAt(other)];
  await driver.destroy(comma);
  expect(isAlive(first)).toBe(false);
  expect(isAlive(second)).toBe(true);
  await driver.destroy(other);
});
