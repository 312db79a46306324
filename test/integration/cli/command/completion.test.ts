/** Runs the completion scripts in their shells, against a test double behind the real server of the daemon. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { DaemonService } from '../../../../lib/api/contract.ts';
import { allCommands } from '../../../../lib/cli/app.ts';
import { serve } from '../../../../lib/daemon/server.ts';
import { homeOf } from '../../../../lib/paths.ts';
import { bash, fish, type Shell, type TypingShell, zsh } from './shells.ts';

let dir: string;
let cwd: string;
let daemon: AsyncDisposable;
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-k-')));
  cwd = join(dir, 'work');
  // A folder with the name of a command.
  mkdirSync(join(cwd, 'apply'), { recursive: true });
  for (const name of ['a file', 'b*', 'b1']) writeFileSync(join(cwd, name), '');
  const rows = ['shop/web', 'shop/db', 'mail/web'].map((full) => {
    const [project = '', name = ''] = full.split('/');
    return { project, name, projectDir: `/projects/${project}` };
  });
  const service = { build: 'b', list: async () => rows } as unknown as DaemonService;
  daemon = await serve(homeOf({ SBX_HOME: join(dir, 'h') }), service);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const SHELLS = { bash, zsh, fish };

describe.each(Object.entries(SHELLS))('the completion of %s', (_, start) => {
  let shell: Shell;
  beforeAll(() => {
    shell = start({ dir, cwd });
  });
  afterAll(() => shell.end());

  test('knows every command and every group', async () => {
    const words = (await shell.all('sbx ')).split(' ').slice(1);
    expect(words.toSorted()).toEqual([...new Set(allCommands().map(([first]) => first))].toSorted());
  });

  test.each([
    ['the commands of a group', 'sbx net ', 'sbx net allow check deny log revoke suggest'],
    ['a partial command', 'sbx va', 'sbx validate'],
    ['flags after a hyphen', 'sbx apply --acc', 'sbx apply --accept-widening'],
    ['shells', 'sbx completion ', 'sbx completion bash fish zsh'],
    ['templates after a flag', 'sbx init --agent sh', 'sbx init --agent shell'],
    ['templates', 'sbx template show sh', 'sbx template show shell'],
    ['sandboxes, by project if the name is ambiguous', 'sbx stop ', 'sbx stop db mail/web shop/web'],
    ['sandboxes of a project', 'sbx rm sh', 'sbx rm shop/web'],
    ['files if nothing else matches', 'sbx cp a\\ f', 'sbx cp a\\ file'],
    ['files with special characters', 'sbx cp b', 'sbx cp b\\* b1'],
    ['nothing of sbx after --', 'sbx exec -- d', 'sbx exec -- d'],
    ['nothing for an unknown command', 'sbx frobnicate x', 'sbx frobnicate x'],
  ])('knows %s', async (_what, line, completed) => {
    expect(await shell.all(line)).toBe(completed);
  });
});

describe.each(Object.entries({ bash, zsh }))('the Tab key in %s', (_, start) => {
  let shell: TypingShell;
  beforeAll(() => {
    shell = start({ dir, cwd });
  });
  afterAll(() => shell.end());

  test('completes a command, also if a folder has its name', async () => {
    expect(await shell.tab('sbx ap')).toBe('sbx apply');
    expect(await shell.tab('sbx cp ap')).toBe('sbx cp apply/');
  });

  test('completes a file with the quoting of the shell', async () => {
    expect(await shell.tab('sbx cp a')).toBe('sbx cp a');
    expect(await shell.tab('sbx cp "a f')).toBe('sbx cp "a file"');
  });
});

test('zsh finds the script in its completion folder, from the first Tab on', async () => {
  const functions = join(dir, 'functions');
  mkdirSync(functions);
  const setUp = [
    `sbx completion zsh >${functions}/_sbx`,
    `fpath=(${functions} $fpath)`,
    'autoload -Uz compinit && compinit -u -D',
  ];
  const shell = zsh({ dir, cwd }, setUp.join('\n'));
  onTestFinished(() => shell.end());
  expect(await shell.tab('sbx va')).toBe('sbx validate');
  expect(await shell.tab('sbx net ch')).toBe('sbx net check');
});
