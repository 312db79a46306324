/** `sbx open` with editors that are scripts: what it says of one that fails. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { startWorld, type World } from './rig.ts';

let world: World;
let user: string;
beforeAll(async () => {
  world = await startWorld();
  user = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-user-')));
  mkdirSync(instancePaths(homeOf({ SBX_HOME: world.home }), 'x1').dir, { recursive: true, mode: 0o700 });
  mkdirSync(join(user, 'bin'));
  expect(await call('ssh-config', '--install')).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(user, { recursive: true, force: true });
});

const call = (...args: string[]) =>
  world.sbx(args, { env: { HOME: user, PATH: `${join(user, 'bin')}:${process.env['PATH']}` } });

function editor(script: string): void {
  const path = join(user, 'bin', 'code');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

test('one that fails: an error of its own with its exit code and its last words', async () => {
  editor('echo "no extension" >&2; exit 7');
  const { code, stdout } = await call('open', '--json');
  expect([code, JSON.parse(stdout).error]).toEqual([
    1,
    expect.objectContaining({ code: 'editor-failed', message: 'code ended with exit code 7', why: 'no extension' }),
  ]);
  editor('exit 9');
  expect((await call('open')).stderr).toMatch(/^sbx: code ended with exit code 9\nwhy: it said nothing\nwhat to do: /);
});

test('one that is not installed is another error', async () => {
  const { stdout } = await call('open', '--json', '--editor', 'windsurf');
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'tool-missing', message: 'windsurf is not installed' });
});

test('one that starts gets the host entry of the sandbox', async () => {
  editor(`echo "$@" >${user}/args`);
  expect(await call('open')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^opened in code: .*\.sbx\n$/) });
});
