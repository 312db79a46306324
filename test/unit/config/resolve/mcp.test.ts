import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { load } from '../project.ts';

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-m-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const of = (folder: string) => `[mcp.servers.notes]\ncommand = ["notes"]\nfolders = ["${folder}"]`;

describe('an MCP server', () => {
  test('has real folders and its place', async () => {
    mkdirSync(join(dir, 'notes'));
    symlinkSync(join(dir, 'notes'), join(dir, 'link'));
    const { sandboxes } = await load(of(join(dir, 'link')));
    expect(sandboxes[0]?.mcp).toEqual([
      {
        name: 'notes',
        command: ['notes'],
        folders: [join(dir, 'notes')],
        source: expect.objectContaining({ line: 2 }),
      },
    ]);
  });

  test('a file without one has no such field', async () => {
    expect((await load('')).sandboxes[0]).not.toHaveProperty('mcp');
  });

  test.each(['/', '/usr', '/etc', '~', '.', './.git/..'])('%s cannot be a folder of it', async (folder) => {
    await expect(load(of(folder))).rejects.toThrow('cannot be a folder of a server');
  });

  test('a folder around or in a mount cannot be one, also by a link', async () => {
    mkdirSync(join(dir, 'data/inner'), { recursive: true });
    symlinkSync(join(dir, 'data/inner'), join(dir, 'link'));
    const mount = `\n[[mounts]]\nhost = "${dir}/data"\nguest = "/data"`;
    for (const folder of [dir, join(dir, 'data/inner'), join(dir, 'link')])
      await expect(load(`${of(folder)}${mount}`)).rejects.toThrow('cannot be a folder of a server');
  });

  test('what is no folder cannot be one', async () => {
    await expect(load(of(join(dir, 'absent')))).rejects.toThrow('cannot be a folder of a server');
  });
});
