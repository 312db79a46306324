/** What a hostile guest tries on the workspace, in a real VM; each attack also on a folder that nothing protects. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISOLATED } from '../../../lib/system/isolated.ts';
import { caseFolder, GIT_ENV } from '../case-folder.ts';
import { inside, must, type Project, project, SHELL } from '../harness.ts';
import { ATTACKS, type Attack } from './workspace-attacks.ts';

const nameOf = (attack: Attack) => `case-${ATTACKS.indexOf(attack)}`;
/** Before the output of each attack */
const SAYS = '=== attack ';

/** All attacks in one shell, each in its folder. */
function scriptOf(folderOf: (attack: Attack) => string): string {
  const git = Object.entries(GIT_ENV).filter(([name]) => name !== 'PATH');
  const scripts = ATTACKS.map((attack) =>
    [`echo '${SAYS}${nameOf(attack)}'`, `(cd ${folderOf(attack)} && { ${attack.script}; }) 2>&1`].join('\n'),
  );
  return [...git.map(([name, value]) => `export ${name}=${value}`), ...scripts, 'true\n'].join('\n');
}

/** What each attack said, by its name. */
function outputsOf(stdout: string): Map<string, string> {
  const parts = stdout.split(SAYS).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]));
}

describe('a guest cannot touch', () => {
  let cases: string;
  let applied: Project | undefined;
  let outputs: Map<string, string>;
  const hostFolder = (attack: Attack) =>
    join(attack.rules === undefined ? cases : (applied?.dir ?? ''), nameOf(attack));

  beforeAll(async () => {
    cases = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-cases-')));
    applied = project('attacks', '');
    applied.write(tomlOf(cases));
    for (const attack of ATTACKS) attack.given(caseFolder(hostFolder(attack)));
    await must(['apply', '--accept-widening'], { cwd: applied.dir });
    const input = scriptOf((attack) => (attack.rules === undefined ? `/cases/${nameOf(attack)}` : hostFolder(attack)));
    outputs = outputsOf((await must(['exec', '-i', '--', 'sh', '-s'], { cwd: applied.dir, input })).stdout);
  });
  afterAll(async () => {
    await applied?.[Symbol.asyncDispose]();
    rmSync(cases, { recursive: true, force: true });
  });

  test.each(ATTACKS)('$name', (attack) => {
    const said = outputs.get(nameOf(attack));
    expect(said).toBeDefined();
    expect(attack.worked(caseFolder(hostFolder(attack)), said ?? ''), said).toBe(false);
  });

  test('and no attack disturbed the sandbox', async () => {
    expect(await inside(applied?.dir ?? '', 'echo alive')).toBe('alive');
  });
});

describe('without a policy it would have touched', () => {
  let base: string;
  let outputs: Map<string, string>;
  const folderOf = (attack: Attack) => join(base, nameOf(attack), 'case');

  beforeAll(() => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-cases-')));
    for (const attack of ATTACKS) attack.given(caseFolder(folderOf(attack)));
    const jail = [...ISOLATED, '--bind', base, base, '--die-with-parent', '--', 'sh', '-s'];
    const input = scriptOf(folderOf);
    outputs = outputsOf(spawnSync('bwrap', jail, { input, encoding: 'utf8', maxBuffer: 2 ** 24 }).stdout);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  test.each(ATTACKS)('$name', (attack) => {
    const said = outputs.get(nameOf(attack));
    expect(attack.worked(caseFolder(folderOf(attack)), said ?? ''), said).toBe(true);
  });
});

function tomlOf(cases: string): string {
  const mounts = ATTACKS.filter(({ rules }) => rules === undefined).map(
    (attack) =>
      `[[mounts]]\nhost = "${join(cases, nameOf(attack))}"\nguest = "/cases/${nameOf(attack)}"\nreadonly = false\n`,
  );
  const listOf = (list: 'hide' | 'readonly') =>
    ATTACKS.flatMap((attack) =>
      (attack.rules?.[list] ?? []).map((text) => JSON.stringify(text.replace('@', nameOf(attack)))),
    ).join(', ');
  return [SHELL, `[workspace]\nhide = [${listOf('hide')}]\nreadonly = [${listOf('readonly')}]\n`, ...mounts].join('\n');
}
