/** Mode `clone`: a private git clone on the VM's own disk, whose work comes back as a branch. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inside, json, must, type Project, project, SMALL, sbx } from '../harness.ts';

const TOML = `version = 1\nagent = "shell"\n[workspace]\nmode = "clone"\nhide = [".env"]\n${SMALL}[sandboxes.one]\ncount = 2\n`;
const IDENTITY = '-c user.name=t -c user.email=t@t';

let p: Project;
const git = (...args: string[]) => execFileSync('git', args, { cwd: p.dir }).toString().trim();
const work = (file: string, name: string) =>
  inside(p.dir, `echo work > ${file} && git add ${file} && git ${IDENTITY} commit -qm "add ${file}"`, [name]);

beforeAll(async () => {
  p = project('clone', TOML);
  git('init', '-q', '-b', 'main');
  writeFileSync(join(p.dir, 'tracked'), 'yes\n');
  git('add', 'tracked');
  git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-qm', 'first');
  writeFileSync(join(p.dir, '.env'), 'SECRET\n');
  await must(['apply', '--yes'], { cwd: p.dir });
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

test('the clone is at the same path, on the disk of the VM, without what is not committed', async () => {
  expect(await inside(p.dir, 'pwd; ls -A; git log --format=%s; git status --porcelain', ['one-1'])).toBe(
    `${p.dir}\n.git\ntracked\nfirst`,
  );
  expect(await inside(p.dir, 'grep -c 9p /proc/mounts || :', ['one-1'])).toBe('0');
  await inside(p.dir, 'touch only-inside', ['one-1']);
  expect(existsSync(join(p.dir, 'only-inside'))).toBe(false);
  await inside(p.dir, 'rm only-inside', ['one-1']);
});

test('the work of two clones comes back as two branches, and the folder of the host stays as it is', async () => {
  await work('a', 'one-1');
  await work('b', 'one-2');
  expect((await must(['diff', 'one-1'], { cwd: p.dir })).stdout).toContain('+work');
  expect(await json(['diff', 'one-1'], { cwd: p.dir })).toEqual({ diff: expect.stringContaining('+work') });
  await must(['fetch', 'one-1'], { cwd: p.dir });
  expect(await json(['fetch', 'one-2'], { cwd: p.dir })).toMatchObject({ branch: 'sbx/one-2', commits: 1, files: 1 });
  expect(git('log', '--format=%s', 'sbx/one-1', 'sbx/one-2').split('\n').toSorted()).toEqual([
    'add a',
    'add b',
    'first',
  ]);
  expect(git('symbolic-ref', '--short', 'HEAD')).toBe('main');
  expect(existsSync(join(p.dir, 'a'))).toBe(false);
});

test('work that was not fetched is kept by rm, reset and a rebuild, and over a restart', async () => {
  await work('c', 'one-1');
  for (const verb of ['rm', 'reset']) {
    const { code, stderr } = await sbx([verb, 'one-1', '--yes'], { cwd: p.dir });
    expect([code, stderr]).toEqual([4, expect.stringContaining('unfetched commits: 1')]);
  }
  const rebuild = await sbx(['apply', '--rebuild', '--yes'], { cwd: p.dir });
  expect([rebuild.code, rebuild.stderr]).toEqual([4, expect.stringContaining('unfetched commits: 1')]);
  await must(['stop', 'one-1'], { cwd: p.dir });
  await must(['start', 'one-1'], { cwd: p.dir });
  expect(await inside(p.dir, 'ls', ['one-1'])).toBe('a\nc\ntracked');
  await must(['fetch', 'one-1'], { cwd: p.dir });
  await must(['reset', 'one-1', '--yes'], { cwd: p.dir });
  expect(await inside(p.dir, 'ls', ['one-1'])).toBe('tracked');
  await inside(p.dir, 'touch new', ['one-1']);
  expect((await sbx(['rm', 'one-1', '--yes'], { cwd: p.dir })).code).toBe(4);
  await must(['rm', 'one-1', '--yes', '--discard'], { cwd: p.dir });
});
