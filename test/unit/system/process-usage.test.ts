import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { cpuMsIn, processUsage } from '../../../lib/system/process-usage.ts';

const started: ChildProcess[] = [];
afterEach(() => {
  // With the processes below, which are in its group.
  for (const { pid } of started.splice(0)) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
});

function start(script: string): number {
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  started.push(child);
  return child.pid ?? 0;
}

test('the name of a process may contain what looks like the rest of the line', () => {
  const fields = ['S', '1', '1', '1', '0', '-1', '0', '0', '0', '0', '0', '12', '30', '0', '0'].join(' ');
  expect(cpuMsIn(`7 (a) R 1 1 1 0 -1 0 0 0 0 0 999 999) ${fields}`)).toBe(420);
});

test('a process counts with what it started, at any depth', async () => {
  const idle = start('read line');
  const busy = start('sh -c "while :; do :; done & while :; do :; done" & read line');
  await vi.waitUntil(async () => ((await processUsage(busy))?.cpuMs ?? 0) > 300, { timeout: 60_000 });
  const [one, all] = await Promise.all([processUsage(idle), processUsage(busy)]);
  expect(one?.cpuMs).toBeLessThan(300);
  expect(one?.memoryBytes).toBeGreaterThan(0);
  expect(all?.memoryBytes).toBeGreaterThan(one?.memoryBytes ?? 0);
});

test('one that has ended has none', async () => {
  const child = spawn('true');
  await once(child, 'close');
  expect(await processUsage(child.pid ?? 0)).toBe(undefined);
});
