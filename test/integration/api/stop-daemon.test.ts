/** A daemon that answers nothing can be ended all the same: real processes that hold its lock. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DaemonClient } from '../../../lib/api/client.ts';
import { endDaemon } from '../../../lib/api/stop-daemon.ts';
import { type Home, homeOf } from '../../../lib/paths.ts';
import { startTimeOf } from '../../../lib/system/process-identity.ts';

let dir: string;
let home: Home;
let holder: ChildProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-e-'));
  home = homeOf({ SBX_HOME: dir });
  mkdirSync(home.daemon.dir, { recursive: true });
  holder = undefined;
});
afterEach(() => {
  holder?.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

async function hold(script: string): Promise<void> {
  holder = spawn(process.execPath, ['-e', `${script}; setInterval(() => {}, 1000); console.log('up')`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(holder.stdout as NodeJS.ReadableStream, 'data');
  const pid = holder.pid ?? 0;
  writeFileSync(`${home.daemon.lock}.1`, JSON.stringify({ pid, startTime: startTimeOf(pid) }));
}

const end = () => endDaemon(new DaemonClient({ socketPath: home.daemon.socket }), { home });

test('none is none', async () => {
  expect(await end()).toBe(false);
});

test('one that does not listen is told to end', async () => {
  await hold('');
  const ended = once(holder as ChildProcess, 'exit');
  expect(await end()).toBe(true);
  expect(await ended).toEqual([null, 'SIGTERM']);
});

test('one that does not obey is ended', async () => {
  await hold("process.on('SIGTERM', () => {})");
  expect(await end()).toBe(true);
});

test('a process that only has the number of a dead holder is left alone', async () => {
  await hold('');
  writeFileSync(`${home.daemon.lock}.1`, JSON.stringify({ pid: holder?.pid, startTime: '1' }));
  expect(await end()).toBe(false);
  expect(holder?.signalCode).toBeNull();
});
