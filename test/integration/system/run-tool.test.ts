/** Tools that end, fail, hang and are missing, as real processes. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startTimeOf } from '../../../lib/system/process-identity.ts';
import { run, runToEnd } from '../../../lib/system/run-tool.ts';

const sh = (script: string, options: Parameters<typeof run>[2] = {}) => run('sh', ['-c', script], options);

test('returns stdout and reports each line of both streams', async () => {
  const lines: string[] = [];
  expect(await sh('echo a; echo b >&2; echo; echo c', { onLine: (line) => lines.push(line) })).toBe('a\n\nc');
  expect(lines.toSorted()).toEqual(['', 'a', 'b', 'c']);
});

test('a failure holds the exit code and the last lines', async () => {
  await expect(sh('for n in $(seq 30); do echo line-$n >&2; done; exit 7')).rejects.toMatchObject({
    code: 'image-source',
    message: 'sh failed with exit code 7',
    why: expect.stringMatching(/^line-11\n[\s\S]*line-30$/),
  });
  await expect(sh('echo "tar: No space left on device" >&2; exit 1')).rejects.toMatchObject({ code: 'no-space' });
  expect(await runToEnd('sh', ['-c', 'kill -9 $$'])).toMatchObject({ code: 137 });
});

test('a missing program is reported as one', async () => {
  await expect(run('sbx-no-such-tool', [])).rejects.toMatchObject({ code: 'tool-missing' });
});

test('abort and deadline end the wait although a child of the tool holds its pipes open', async () => {
  const script = 'sleep 30 & echo $!; wait';
  const pids: number[] = [];
  const onLine = (line: string) => void pids.push(Number(line));
  const begun = Date.now();
  try {
    await expect(sh(script, { deadlineMs: 300, onLine })).rejects.toMatchObject({ code: 'cancelled' });
    const controller = new AbortController();
    const running = sh(script, { signal: controller.signal, onLine });
    while (pids.length < 2) await sleep(5);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(Date.now() - begun).toBeLessThan(20_000);
  } finally {
    for (const pid of pids) process.kill(pid);
  }
});

test.each([
  { group: true, ends: true },
  { group: false, ends: false },
])('an abort ends the children of a tool with it only as a group: $group', async ({ group, ends }) => {
  const pids: number[] = [];
  const controller = new AbortController();
  const script = 'sleep 30 & echo $!; echo $$; wait';
  const running = sh(script, { group, signal: controller.signal, onLine: (line) => void pids.push(Number(line)) });
  while (pids.length < 2) await sleep(5);
  const [child, tool] = pids as [number, number];
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  while (startTimeOf(tool) !== undefined) await sleep(5);
  if (ends) while (startTimeOf(child) !== undefined) await sleep(5);
  else process.kill(child);
});

test('a tool with a signal that was aborted before is ended, as a group too', async () => {
  const pids: number[] = [];
  const options = { group: true, signal: AbortSignal.abort(), onLine: (line: string) => void pids.push(Number(line)) };
  await expect(sh('echo $$; exec sleep 30', options)).rejects.toMatchObject({ code: 'cancelled' });
  while (pids[0] !== undefined && startTimeOf(pids[0]) !== undefined) await sleep(5);
});

test('an aborted signal runs nothing to its end', async () => {
  await expect(sh('sleep 30', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
});

test('a program in the current folder is not run, and only the given environment is passed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-run-'));
  try {
    for (const file of ['env', 'sbx-planted']) {
      writeFileSync(join(dir, file), '#!/bin/sh\necho PLANTED\n');
      chmodSync(join(dir, file), 0o755);
    }
    expect(await run('env', [], { cwd: dir, env: { PATH: '/usr/bin:/bin', ONLY: 'this' } })).not.toMatch(
      /PLANTED|HOME/,
    );
    await expect(run('sbx-planted', [], { cwd: dir })).rejects.toMatchObject({ code: 'tool-missing' });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
