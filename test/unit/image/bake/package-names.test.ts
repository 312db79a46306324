/** Names of packages that are options or shell text. They are run for real, by a program that stands in the place of the package managers. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BakeStep, installSteps, packageSteps } from '../../../../lib/image/bake/bake-script.ts';

const NONE = { apt: [], npm: [], pip: [], setup: [] };
const HOSTILE = [
  '--option=x',
  '-oDebug::x=1',
  '$(touch>ran)',
  ';touch>ran',
  '`touch>ran`',
  '|touch>ran',
  'jq\n--option',
  'jq --option',
];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-names-'));
  for (const name of ['apt-get', 'npm', 'python3', 'touch']) {
    const text = name === 'touch' ? '#!/bin/sh\n: >ran\n' : '#!/bin/sh\nprintf "%s\\0" "$@" >>arguments\n';
    writeFileSync(join(dir, name), text);
    chmodSync(join(dir, name), 0o755);
  }
});
afterEach(() => rmSync(dir, { recursive: true }));

const env = () => ({ PATH: `${dir}:/usr/bin:/bin` });

/** The arguments that the package manager got behind `--` */
function run({ argv: [file = '', ...args] }: BakeStep): string[] {
  spawnSync(file, args, { cwd: dir, env: env() });
  const all = readFileSync(join(dir, 'arguments'), 'utf8').split('\0');
  return all.slice(all.indexOf('--') + 1, -1);
}

const stepsOf = (kind: 'apt' | 'npm' | 'pip', name: string) => [
  ...installSteps({ ...NONE, pip: ['a'] }, { ...NONE, [kind]: [name] }).packages,
  ...packageSteps({ ...NONE, [kind]: [name] }),
];

describe.each(['apt', 'npm', 'pip'] as const)('a hostile name in packages.%s', (kind) => {
  test.each(HOSTILE)('%j is one argument behind the options, and no shell sees it', (name) => {
    const steps = stepsOf(kind, name).filter(({ argv }) => argv.includes(name));
    expect(steps).toHaveLength(2);
    for (const step of steps) {
      expect(run(step).at(-1)).toBe(name);
      rmSync(join(dir, 'arguments'));
    }
    expect(existsSync(join(dir, 'ran'))).toBe(false);
  });

  test('would run in a shell: the attack works where the arguments are joined', () => {
    const [step] = stepsOf(kind, '$(touch>ran)').filter(({ argv }) => argv.includes('$(touch>ran)'));
    spawnSync('/bin/sh', ['-c', step?.argv.join(' ') ?? ''], { cwd: dir, env: env() });
    expect(existsSync(join(dir, 'ran'))).toBe(true);
  });
});
