/** Where projects lie and how they are called: odd folders, links, extra mounts, two projects of one name. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, json, must, type Project, project, SMALL, type Status, sbx, statusOf } from '../harness.ts';

const NAMED = `version = 1\nname = "twin"\n${SMALL}`;
/** Spaces, quotes, what shells and QEMU's options take for syntax, other scripts; longer than any socket's path */
const ODD = join(`a b, 'c' "d" $e; f=g \\h #1`, 'ünïcödé 日本', 'l'.repeat(200), 'm'.repeat(200));

let odd: Project;
let root: string;
let dir: string;

beforeAll(async () => {
  odd = project('odd', '');
  root = odd.dir;
  dir = join(root, ODD);
  mkdirSync(join(dir, 'sub'), { recursive: true });
  mkdirSync(join(root, 'shared'));
  mkdirSync(join(root, 'data'));
  for (const name of ['one-file', 'written', 'data/x', 'shared/x']) writeFileSync(join(root, name), `${name}\n`);
  const mounts = [
    ['one-file', '/opt/one-file', true],
    ['written', '/srv/deep/written', false],
    ['data', '/data', true],
    ['shared', '/shared', false],
  ].map(
    ([host, guest, readonly]) =>
      `[[mounts]]\nhost = ${JSON.stringify(join(root, `${host}`))}\nguest = "${guest}"\nreadonly = ${readonly}\n`,
  );
  writeFileSync(join(dir, 'sandbox.toml'), `${NAMED}${mounts.join('')}`);
  await must(['apply', '--accept-widening'], { cwd: dir });
});
afterAll(async () => {
  await sbx(['rm', '--all', '--yes', '--discard'], { cwd: dir });
  rmSync(root, { recursive: true, force: true });
});

describe('a project in an odd folder', () => {
  test('is at the same path in the guest, and its files belong to the host user', async () => {
    expect(await inside(dir, 'pwd; echo from inside >"a file"; cat "a file"')).toBe(`${dir}\nfrom inside`);
    expect(statSync(join(dir, 'a file')).uid).toBe(process.getuid?.());
    const before = readFileSync(join(dir, 'sandbox.toml'), 'utf8');
    await sbx(['exec', '--', 'sh', '-c', 'echo x >>sandbox.toml'], { cwd: dir });
    expect(readFileSync(join(dir, 'sandbox.toml'), 'utf8')).toBe(before);
  });

  test('is the same project from a subfolder, through a link, and with --project', async () => {
    const link = join(root, 'link');
    symlinkSync(dir, link);
    const { id } = await statusOf(dir);
    for (const cwd of [join(dir, 'sub'), link, join(link, 'sub')]) {
      expect((await statusOf(cwd)).id).toBe(id);
      expect(await json(['apply'], { cwd })).toMatchObject({ steps: [] });
    }
    expect(await json<Status>(['inspect', '--project', 'link'], { cwd: root })).toMatchObject({ id });
    expect((await must(['exec', '--', 'pwd'], { cwd: link })).stdout).toBe(`${dir}\n`);
  });

  test('sees extra mounts: single files and folders, read-only and writable', async () => {
    expect(await inside(dir, 'cat /opt/one-file /data/x /srv/deep/written /shared/x')).toBe(
      'one-file\ndata/x\nwritten\nshared/x',
    );
    for (const target of ['/opt/one-file', '/data/x', '/data/new']) {
      const script = `echo x >>${target} || mount -o remount,rw ${target} && echo x >>${target}`;
      expect((await sbx(['exec', '-u', 'root', '--', 'sh', '-c', script], { cwd: dir })).code).not.toBe(0);
    }
    expect(['one-file', 'data/x'].map((name) => readFileSync(join(root, name), 'utf8'))).toEqual([
      'one-file\n',
      'data/x\n',
    ]);
    await inside(dir, 'echo more >>/srv/deep/written; echo new >/shared/new');
    expect(readFileSync(join(root, 'written'), 'utf8')).toBe('written\nmore\n');
    expect(statSync(join(root, 'shared', 'new')).uid).toBe(process.getuid?.());
  });
});

describe('two projects of one name', () => {
  let twin: Project;
  let elsewhere: string;

  beforeAll(async () => {
    twin = project('twin', NAMED);
    elsewhere = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-else-')));
    await must(['apply', '--yes'], { cwd: twin.dir });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    rmSync(elsewhere, { recursive: true });
  });

  test('exist side by side: a bare name means the sandbox of the current folder', async () => {
    expect(await inside(dir, 'pwd', ['twin'])).toBe(dir);
    expect(await inside(twin.dir, 'pwd', ['twin'])).toBe(twin.dir);
    expect((await statusOf(dir)).id).not.toBe((await statusOf(twin.dir)).id);
  });

  test('make a bare name ambiguous in other folders, and --project selects one', async () => {
    for (const name of ['twin', 'twin/twin']) {
      const { code, stdout } = await sbx(['inspect', name, '--json'], { cwd: elsewhere });
      expect(code).toBe(2);
      expect(JSON.parse(stdout).error).toMatchObject({
        code: 'ambiguous-name',
        why: expect.stringContaining(twin.dir),
      });
    }
    expect(await json<object>(['inspect', 'twin', '--project', twin.dir], { cwd: elsewhere })).toMatchObject({
      workspace: twin.dir,
    });
  });

  test('do not affect each other: after removing one, the name of the other is unambiguous', async () => {
    await must(['rm', '--yes', '--discard'], { cwd: twin.dir });
    for (const name of ['twin', 'twin/twin'])
      expect(await json<object>(['inspect', name], { cwd: elsewhere })).toMatchObject({ workspace: dir });
    expect(await inside(dir, 'echo here')).toBe('here');
  });
});
