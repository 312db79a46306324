/** `sbx accept` of several changes, of which one fails: the error names those that are on the host by then, and no other. */
import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DaemonService } from '../../../../../lib/api/contract.ts';
import { readBuild } from '../../../../../lib/api/ensure-daemon.ts';
import type { AcceptRequest, DiffResult } from '../../../../../lib/api/work-contract.ts';
import { serve } from '../../../../../lib/daemon/server.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import { homeOf } from '../../../../../lib/paths.ts';
import { listed } from '../session/rig.ts';

let dir: string;
let server: AsyncDisposable;
/** Paths that the daemon was asked to take over */
let asked: string[];
/** Of these, the one that fails; undefined: none */
let failing: string | undefined;

const change = (path: string): NonNullable<DiffResult['changes']>[number] => ({
  path,
  kind: 'file',
  size: 1,
  files: 1,
  diff: `+${path}\n`,
  version: { layer: 'a'.repeat(64), host: null },
});

beforeEach(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-acc-')));
  [asked, failing] = [[], undefined];
  const service = {
    build: readBuild(resolve('dist')),
    list: async () => [listed({ id: '1', projectDir: dir, workspace: dir })],
    diff: async (): Promise<DiffResult> => ({ diff: '', changes: ['one', 'two', 'three'].map(change) }),
    accept: async (_id: string, { path }: AcceptRequest) => {
      asked.push(path);
      if (path === failing)
        throw new SbxError('workspace', 'it has changed since', { why: 'it is not what was shown' });
      return { accepted: path };
    },
  };
  server = await serve(homeOf({ SBX_HOME: dir }), service as unknown as DaemonService);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const accept = () =>
  new Promise<{ stdout: string; stderr: string }>((done) => {
    const options = { cwd: dir, env: { ...process.env, SBX_HOME: dir, NO_COLOR: '1' } };
    const args = ['accept', 'shop', '.', '--yes', '--accept-protected'];
    execFile(resolve('bin/sbx'), args, options, (_error, stdout, stderr) => done({ stdout, stderr }));
  });

test('all are named when all were taken over', async () => {
  const { stdout } = await accept();
  expect(stdout.trim().split('\n')).toEqual(['one', 'two', 'three'].map((path) => `took over ${join(dir, path)}`));
});

test('after a failure in the middle, only those before it are', async () => {
  failing = join(dir, 'two');
  const { stdout, stderr } = await accept();
  expect(stdout).toBe('');
  expect(asked).toEqual([join(dir, 'one'), failing]);
  expect(stderr).toContain('it has changed since');
  expect(stderr).toContain(
    `it is not what was shown; taken over before: ${join(dir, 'one')}; this one and what follows`,
  );
});

test('after a failure of the first, none is', async () => {
  failing = join(dir, 'one');
  const { stderr } = await accept();
  expect(stderr).toContain('it has changed since');
  expect(stderr).not.toContain('taken over before');
});
