/** What outlives a disk: the folders of `[agent] keep`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SandboxDetail } from '../../../lib/api/sandbox-status.ts';
import { HOME, inside, json, killDaemon, must, type Project, project, SMALL, sbx, statusOf } from '../harness.ts';

const AGENT = `[agent]
keep = ["~/.tool", "~/.local/share/tool"]
keep_except = ["~/.tool/auth.json"]
[agent.files]
"~/.tool/settings.json" = "of the template"
`;
const TOML = `version = 1\nextends = ["shell"]\n${SMALL}${AGENT}`;
const READ =
  'cd ~; cat .tool/sessions/1.jsonl .local/share/tool/db; test ! -e .tool/auth.json && cat .tool/settings.json';
const KEPT = 'session\ndata\nof the template';

let p: Project;
let folder: string;

beforeAll(async () => {
  p = project('keep', TOML);
  await must(['apply', '--yes'], { cwd: p.dir });
  await inside(
    p.dir,
    `cd ~; mkdir .tool/sessions; echo session > .tool/sessions/1.jsonl; echo data > .local/share/tool/db
     echo changed > .tool/settings.json; echo token > .tool/t; mv .tool/t .tool/auth.json; ln -s /etc/passwd .tool/link; mkfifo .tool/pipe
     touch .local/mine`,
  );
  const detail = await json<SandboxDetail>(['inspect'], { cwd: p.dir });
  folder = detail.kept[0]?.folder ?? '';
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

test('the host has what is kept, and not what is left out', async () => {
  expect(folder.startsWith(join(HOME, 'kept'))).toBe(true);
  expect(readFileSync(join(folder, 'sessions/1.jsonl'), 'utf8')).toBe('session\n');
  expect([existsSync(join(folder, 'auth.json')), existsSync(join(folder, 'pipe'))]).toEqual([false, false]);
  expect(await inside(p.dir, 'cat ~/.tool/auth.json')).toBe('token');
  expect((await must(['diff'], { cwd: p.dir })).stdout).toContain('not shown: ~/.tool, ~/.local/share/tool');
});

test('it outlives a reset, which gives back the settings of the template and asks for no --discard', async () => {
  await must(['reset', '--yes'], { cwd: p.dir });
  expect(await inside(p.dir, READ)).toBe(KEPT);
});

test('it outlives a restart, with what the agent changed', async () => {
  await inside(p.dir, 'echo mine > ~/.tool/settings.json');
  await must(['restart', '--yes'], { cwd: p.dir });
  expect(await inside(p.dir, 'cat ~/.tool/settings.json ~/.tool/sessions/1.jsonl')).toBe('mine\nsession');
});

test('a snapshot gives back the disk that was, and what is kept stays as it is', async () => {
  await inside(p.dir, 'echo one > ~/state');
  const early = await sbx(['snapshot', 'create', 'one'], { cwd: p.dir });
  expect([early.code, early.stderr]).toEqual([expect.any(Number), expect.stringContaining('is not stopped')]);
  await must(['stop', '--yes'], { cwd: p.dir });
  await must(['snapshot', 'create', 'one'], { cwd: p.dir });
  await must(['start'], { cwd: p.dir });
  await inside(p.dir, 'echo two > ~/state; echo later >> ~/.tool/sessions/1.jsonl');
  await must(['stop', '--yes'], { cwd: p.dir });
  // Cut off anywhere in the copy, nothing is left and the disk is whole.
  const cut = sbx(['snapshot', 'create', 'cut'], { cwd: p.dir });
  await new Promise((resolve) => setTimeout(resolve, 300));
  killDaemon();
  await cut;
  const { instanceDir } = await json<SandboxDetail>(['inspect'], { cwd: p.dir });
  expect(readdirSync(join(instanceDir, 'snapshots')).filter((name) => name.startsWith('.'))).toEqual([]);
  expect((await sbx(['snapshot', 'restore', 'one'], { cwd: p.dir })).code).toBe(4);
  await must(['snapshot', 'restore', 'one', '--yes'], { cwd: p.dir });
  await must(['start'], { cwd: p.dir });
  expect(await inside(p.dir, 'cat ~/state ~/.tool/sessions/1.jsonl')).toBe('one\nsession\nlater');
  await inside(p.dir, 'echo session > ~/.tool/sessions/1.jsonl');
});

test('it outlives the sandbox, and a sandbox of another name does not get it', async () => {
  await must(['rm', '--yes'], { cwd: p.dir });
  p.write(`${TOML}[sandboxes.other]\n[sandboxes.${nameOf(p)}]\n`);
  await must(['apply', '--yes'], { cwd: p.dir });
  expect(await inside(p.dir, READ, [nameOf(p)])).toBe(KEPT);
  expect(await inside(p.dir, 'ls -A ~/.tool ~/.local/share/tool', ['other'])).toBe(
    '/home/agent/.local/share/tool:\n\n/home/agent/.tool:\nsettings.json',
  );
  await must(['rm', 'other', '--yes', '--kept'], { cwd: p.dir });
});

test('rm --kept removes it', async () => {
  const { id } = await statusOf(p.dir);
  await must(['rm', '--yes', '--kept'], { cwd: p.dir });
  expect(existsSync(join(HOME, 'kept', id))).toBe(false);
});

function nameOf({ dir }: Project): string {
  return dir.slice(dir.lastIndexOf('/') + 1).toLowerCase();
}
