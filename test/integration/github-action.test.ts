/** Runs the steps of examples/github-action as the shell of a runner would, but for those that need a VM or an account. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'examples/github-action');
const workflow = readFileSync(join(folder, 'agent.yml'), 'utf8');
const steps = stepsOf(workflow);
let dir: string;
let project: string;

beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-gha-')));
  project = join(dir, 'project');
  for (const name of ['project', 'bin', 'temp']) mkdirSync(join(dir, name));
  copyFileSync(join(folder, 'sandbox.toml'), join(project, 'sandbox.toml'));
  // Instead of sudo: what it would run. Instead of the installed program: that of this tree.
  for (const [name, line] of [
    ['sudo', 'echo "$@" >> "$0.log"'],
    ['sbx', `exec '${root}bin/sbx' "$@"`],
  ] as const) {
    writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(dir, 'bin', name), 0o755);
  }
  writeFileSync(join(dir, 'bin/sudo.log'), '');
});
afterAll(() => {
  bash('sbx daemon stop');
  rmSync(dir, { recursive: true, force: true });
});

/** As `shell: bash` of a runner */
function bash(script: string, env: Record<string, string> = {}) {
  return spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd: project,
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${join(dir, 'bin')}${delimiter}${process.env['PATH']}`,
      SBX_HOME: join(dir, 'h'),
      SBX_SECRET_STORE: 'file',
      RUNNER_TEMP: join(dir, 'temp'),
      ...env,
    },
  });
}

function step(name: string): string {
  const script = steps.get(name);
  if (script === undefined) throw new Error(`no step ${name}`);
  return script;
}

test('all steps are found, and are shell', () => {
  expect([...steps.keys()]).toEqual([
    'Allow KVM if there is one, and user namespaces',
    'Install sbx',
    'Install what the host lacks',
    'Check the file',
    'Set the key',
    'Make the sandbox',
    'Run the agent',
    'Show what was denied',
    'Keep the changes',
    'Clean up',
  ]);
  for (const [name, script] of steps)
    expect({ name, ...spawnSync('bash', ['-n', '-c', script], { encoding: 'utf8' }) }).toMatchObject({
      name,
      status: 0,
    });
});

test('no script has an expression of the workflow in it: a prompt would be shell code', () => {
  for (const script of steps.values()) expect(script).not.toContain('${{');
  const OPEN = '$' + '{{';
  expect(stepsOf(`      - name: A\n        run: echo ${OPEN}inputs}}\n`).get('A')).toContain(OPEN);
});

test('what runs as root is the access to KVM and to user namespaces', () => {
  expect(bash(step('Allow KVM if there is one, and user namespaces'))).toMatchObject({ status: 0, stderr: '' });
  const lines = readFileSync(join(dir, 'bin/sudo.log'), 'utf8').split('\n').filter(Boolean);
  expect(lines.filter((line) => !/^(chmod 666 \/dev\/kvm|sysctl -w kernel\.\w+=0)$/.test(line))).toEqual([]);
});

test('the steps without a VM and an account run', () => {
  expect(bash(step('Check the file'))).toMatchObject({ status: 0, stdout: expect.stringContaining('is valid: ci') });
  expect(bash(step('Set the key'), { ANTHROPIC_API_KEY: 'key-of-the-test' })).toMatchObject({ status: 0 });
  expect(bash('sbx secret ls').stdout).toContain('anthropic');
  bash('git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first');
  writeFileSync(join(project, 'new.txt'), 'of the agent\n');
  expect(bash(step('Keep the changes'))).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(join(dir, 'temp/agent.patch'), 'utf8')).toContain('+of the agent');
  expect(bash(step('Clean up'))).toMatchObject({ status: 0 });
  expect(bash('sbx secret ls').stdout).not.toContain('anthropic');
});

test('the steps of the sandbox are command lines of sbx', () => {
  for (const name of ['Install what the host lacks', 'Make the sandbox', 'Run the agent', 'Show what was denied']) {
    // With --help nothing is done: an unknown flag is an error all the same.
    const { status, stdout } = bash(step(name).replace(/(sbx [a-z ]+)/, '$1 --help '), { PROMPT: 'x' });
    expect({ name, status, stdout }).toEqual({ name, status: 0, stdout: expect.stringContaining('USAGE') });
  }
});

/** Name → script of each step that has one. The file has one style: two spaces, `run:` on a line or as a block. */
function stepsOf(text: string): Map<string, string> {
  const blocks = text.split(/^ {6}- /m).slice(1);
  return new Map(
    blocks.flatMap((block) => {
      const name = /^name: (.*)$/m.exec(block)?.[1];
      const [, first = '', more = ''] = /^ {8}run: (.*)\n((?: {10}.*\n)*)/m.exec(block) ?? [];
      if (name === undefined || first === '') return [];
      return [[name, first === '|' ? more.replaceAll(/^ {10}/gm, '') : first] as const];
    }),
  );
}
