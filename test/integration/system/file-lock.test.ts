import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { readHolder, takeLock, tryLock } from '../../../lib/system/file-lock.ts';
import { startTimeOf } from '../../../lib/system/process-identity.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-lock-'));
  path = join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const dead = { pid: 999_999_999, startTime: '1' };

test('one holder at a time, named', () => {
  const lock = tryLock(path);
  expect(readHolder(path)).toEqual({ pid: process.pid, startTime: startTimeOf(process.pid) });
  expect(tryLock(path)).toBeUndefined();
  lock?.[Symbol.dispose]();
  expect(readHolder(path)).toBeUndefined();
  using again = tryLock(path);
  expect(again).toBeDefined();
  expect(readdirSync(dir)).toHaveLength(1);
});

test('a dead holder is succeeded, also one whose pid was reused', () => {
  for (const holder of [dead, { pid: process.pid, startTime: '1' }]) {
    writeFileSync(`${path}.7`, JSON.stringify(holder));
    tryLock(path)?.[Symbol.dispose]();
    expect(existsSync(`${path}.7`)).toBe(false);
    expect(existsSync(`${path}.8`)).toBe(true);
    rmSync(`${path}.8`);
  }
});

test('a late process with an old number does not get it', () => {
  writeFileSync(`${path}.7`, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }));
  writeFileSync(`${path}.3`, JSON.stringify(dead));
  expect(tryLock(path)).toBeUndefined();
});

test('waiting ends by abort', async () => {
  using _lock = tryLock(path);
  const abort = new AbortController();
  const waited: number[] = [];
  const taken = takeLock(path, { signal: abort.signal, onWait: ({ pid }) => waited.push(pid) });
  abort.abort(new Error('enough'));
  await expect(taken).rejects.toThrow('enough');
  expect(waited).toEqual([process.pid]);
});

/** Takes the lock again and again; notes each time who else is in. Some die inside. */
const WORKER = `
import { appendFileSync, openSync, closeSync, rmSync, readdirSync } from 'node:fs';
import { takeLock } from ${JSON.stringify(join(process.cwd(), 'lib/system/file-lock.ts'))};
import { startTimeOf } from ${JSON.stringify(join(process.cwd(), 'lib/system/process-identity.ts'))};
const [dir, rounds, dies] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round += 1) {
  const lock = await takeLock(dir + '/lock');
  const mark = dir + '/in/' + process.pid;
  closeSync(openSync(mark, 'wx'));
  const others = readdirSync(dir + '/in').filter((pid) => pid !== String(process.pid) && startTimeOf(Number(pid)) !== undefined);
  appendFileSync(dir + '/log', others.length === 0 ? 'ok\\n' : 'two at once\\n');
  if (dies && round === Number(rounds) - 1) process.kill(process.pid, 'SIGKILL');
  rmSync(mark);
  lock[Symbol.dispose]();
}
`;

test('of processes that take, release and die, never two hold it at once', async () => {
  mkdirSync(join(dir, 'in'));
  writeFileSync(join(dir, 'worker.ts'), WORKER);
  const outfile = join(dir, 'worker.mjs');
  await build({
    entryPoints: [join(dir, 'worker.ts')],
    outfile,
    bundle: true,
    target: 'node20.19',
    platform: 'node',
    format: 'esm',
  });
  const children: ChildProcess[] = [];
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const work = (dies: boolean) =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [outfile, dir, '6', ...(dies ? ['dies'] : [])], { stdio: 'inherit' });
      children.push(child);
      child.once('close', resolve);
    });
  await Promise.all([false, true, true, false, true, true].map(work));
  const log = readFileSync(join(dir, 'log'), 'utf8').trim().split('\n');
  expect(log).toHaveLength(36);
  expect(new Set(log)).toEqual(new Set(['ok']));
});
