/** A daemon that is killed while it takes a change over leaves nothing of sbx in the user's folder. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { removeTemporaries } from '../../../../lib/workspace/changes/temporary-names.ts';
import { type OwnProgram, ownProgram } from '../own-process.ts';

let program: OwnProgram;
let dir: string;
const at = (path: string) => join(dir, path);

beforeAll(async () => {
  program = await ownProgram(join(import.meta.dirname, 'killed-accept.ts'));
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-temporary-')));
  for (const folder of ['layer/.vscode', 'host/.vscode']) mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('layer/.vscode/tasks.json'), 'new');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function killedAt(moment: string): void {
  const [node = '', ...args] = program.argv;
  const places = ['layer', 'host', 'notes'].map(at);
  const { signal, stderr } = spawnSync(node, [...args, ...places, '.vscode/tasks.json', moment], {
    env: program.env,
    encoding: 'utf8',
  });
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
}

const inFolder = () => readdirSync(at('host/.vscode'));

test.each([
  ['content', undefined],
  ['content', 'old'],
])('nothing is left when it ends before the file has its name (%s, replaces %s)', (moment, before) => {
  if (before !== undefined) writeFileSync(at('host/.vscode/tasks.json'), before);
  killedAt(moment);
  expect(inFolder()).toEqual(before === undefined ? [] : ['tasks.json']);
});

test.each(['rename', 'named content', 'named rename'])(
  'what is left at "%s" goes at the next start',
  async (moment) => {
    writeFileSync(at('host/.vscode/tasks.json'), 'old');
    killedAt(moment);
    expect(inFolder()).toEqual([expect.stringMatching(/^\.sbx-accept-/), 'tasks.json']);
    await removeTemporaries(at('notes'));
    expect(inFolder()).toEqual(['tasks.json']);
    expect(readFileSync(at('host/.vscode/tasks.json'), 'utf8')).toBe('old');
    expect(readdirSync(at('notes'))).toEqual([]);
  },
);

test('the next start follows no link that took the place of the folder', async () => {
  writeFileSync(at('host/.vscode/tasks.json'), 'old');
  killedAt('rename');
  const [name = ''] = inFolder();
  renameSync(at('host/.vscode'), at('host/elsewhere'));
  symlinkSync('elsewhere', at('host/.vscode'));
  await removeTemporaries(at('notes'));
  expect(existsSync(at(`host/elsewhere/${name}`))).toBe(true);
  // The twin: by its path alone it would be removed there.
  rmSync(at(`host/.vscode/${name}`));
  expect(existsSync(at(`host/elsewhere/${name}`))).toBe(false);
});

test('the next start removes nothing but what has a name of sbx', async () => {
  mkdirSync(at('notes'));
  writeFileSync(at('host/.vscode/tasks.json'), 'old');
  for (const name of ['tasks.json', '.sbx-accept-x']) writeFileSync(at(`notes/${name}`), at('host/.vscode'));
  await removeTemporaries(at('notes'));
  expect(inFolder()).toEqual(['tasks.json']);
});
