import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noteGuestFolders, readGuestFolders } from '../../../lib/system/guest-folders.ts';
import { runToEnd } from '../../../lib/system/run-tool.ts';
import { safePath } from '../../../lib/system/tool-path.ts';

const TOOLS = ['qemu-system-x86_64', 'qemu-img', 'bwrap', 'git', 'socat', 'node', 'ssh', 'sudo'];
let dir = '';
let entries: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-path-'));
  const project = join(dir, 'project');
  mkdirSync(join(project, 'node_modules/.bin'), { recursive: true });
  writeFileSync(join(project, 'sandbox.toml'), '');
  symlinkSync(join(project, 'node_modules/.bin'), join(dir, 'link'));
  for (const tool of TOOLS) {
    const file = join(project, 'node_modules/.bin', tool);
    writeFileSync(file, `#!/bin/sh\necho planted\n`);
    chmodSync(file, 0o755);
  }
  entries = [join(project, 'node_modules/.bin'), join(dir, 'link')];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the PATH by which programs of the host are found', () => {
  test('has no relative entry and none inside a project, also through a link', () => {
    const path = ['', '.', 'node_modules/.bin', ...entries, '/usr/bin', '/bin', '/usr/bin'].join(delimiter);
    expect(safePath(path)).toBe('/usr/bin:/bin');
    for (const none of [undefined, '', '.']) expect(safePath(none)).toBe('/usr/bin:/bin');
  });

  test('has no entry with a link of a project on its way, whatever that leads to', () => {
    mkdirSync(join(dir, 'good'));
    mkdirSync(join(dir, 'project/sub'));
    symlinkSync(join(dir, 'good'), join(dir, 'project/way'));
    // By way of the project; its end is not there yet; `..` after a link
    symlinkSync(join(dir, 'project/way'), join(dir, 'middle'));
    symlinkSync(join(dir, 'project/none/bin'), join(dir, 'dangling'));
    symlinkSync('project/sub', join(dir, 'relative'));
    const bad = ['middle', 'dangling', 'dangling/bin', 'relative'].map((name) => join(dir, name));
    bad.push(`${dir}/relative/../node_modules/.bin`);
    for (const entry of bad) expect([entry, safePath(`${entry}:/usr/bin`)]).toEqual([entry, '/usr/bin']);
    symlinkSync(join(dir, 'good'), join(dir, 'direct'));
    expect(safePath(`${dir}/direct:/usr/bin`)).toBe(`${dir}/direct:/usr/bin`);
  });

  test('a link to itself ends no command', () => {
    symlinkSync('loop', join(dir, 'loop'));
    expect(safePath(`${dir}/loop/bin:/usr/bin`)).toBe('/usr/bin');
  });

  test('has no entry in a folder that a guest was given to write, from then on', () => {
    const file = join(dir, 'guest-folders');
    const tools = join(dir, 'tools');
    mkdirSync(join(tools, 'bin'), { recursive: true });
    symlinkSync(tools, join(dir, 'way'));
    const path = [join(tools, 'bin'), join(dir, 'way/bin'), `${tools}-other`, '/usr/bin'].join(delimiter);
    expect(safePath(path, readGuestFolders(file))).toBe(path);
    const before = process.env['PATH'];
    try {
      process.env['PATH'] = path;
      noteGuestFolders(file, [tools, join(dir, 'n/a\nb/c')]);
      expect(process.env['PATH']).toBe(`${tools}-other:/usr/bin`);
    } finally {
      process.env['PATH'] = before;
    }
    expect(safePath(path, readGuestFolders(file))).toBe(`${tools}-other:/usr/bin`);
    noteGuestFolders(file, [tools]);
    expect(readFileSync(file, 'utf8')).toBe(`\n${tools}\n\n${join(dir, 'n')}\n`);
  });

  test('keeps each folder apart from a line without an end, and no folder becomes an empty line', () => {
    const file = join(dir, 'guest-folders');
    const before = process.env['PATH'];
    writeFileSync(file, '/cut');
    try {
      noteGuestFolders(file, [join(dir, 'tools'), '/a\nb']);
    } finally {
      process.env['PATH'] = before;
    }
    expect(readGuestFolders(file)).toEqual(['/cut', join(dir, 'tools'), '/']);
  });

  test('a project whose folder became a file, or cannot be looked at, ends no command', () => {
    const venv = join(dir, 'project/.venv');
    writeFileSync(venv, '');
    expect(safePath(`${venv}/bin:/usr/bin`)).toBe('/usr/bin');
    const other = join(dir, 'file');
    writeFileSync(other, '');
    expect(safePath(`${other}/bin:/usr/bin`)).toBe(`${other}/bin:/usr/bin`);
  });

  test.each(TOOLS)('finds no planted %s', async (tool) => {
    for (const entry of entries) {
      const off = await runToEnd(tool, ['--version'], { env: { PATH: entry } });
      expect(off.stdout).toBe('planted');
      await expect(
        runToEnd(tool, ['--version'], { env: { PATH: safePath(`${entry}:/nonexistent`) } }),
      ).rejects.toThrow();
    }
  });

  test('is the one of the command line and of the daemon', async () => {
    for (const file of ['cli/main.ts', 'daemon/main.ts']) {
      const { readFileSync } = await import('node:fs');
      const text = readFileSync(join(import.meta.dirname, '../../../lib', file), 'utf8');
      expect(text).toMatch(/process\.env\['PATH'\] = safePath\(process\.env\['PATH'\], readGuestFolders\(/);
    }
  });
});
