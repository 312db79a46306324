import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseGitConfig, pathsNamedBy } from '../../../../lib/workspace/facts/git-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'sbx-git-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As git itself reads it; undefined: it refuses the file. */
function byGit(text: string): { key: string; value: string }[] | undefined {
  const file = join(folder, 'config');
  writeFileSync(file, text);
  try {
    const listed = execFileSync('git', ['config', '--file', file, '--no-includes', '--null', '--list'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return listed
      .split('\0')
      .slice(0, -1)
      .map((entry) => {
        const end = entry.indexOf('\n');
        return end < 0 ? { key: entry, value: 'true' } : { key: entry.slice(0, end), value: entry.slice(end + 1) };
      });
  } catch {
    return undefined;
  }
}

/** Versions of git differ in what they make of a tab within a value. */
const evenly = (entries: { key: string; value: string }[]) =>
  entries.map(({ key, value }) => ({ key, value: value.replaceAll('\t', ' ') }));

describe('a configuration', () => {
  test.each([
    '[core]\n\tfsmonitor = ./x\n',
    '[CORE]\n fsMonitor=x y  \n; a comment\n[filter "L F.S"]\nclean = "a # b" # c\n',
    '[include]\npath = ../a\\\n/b\n[a.B]\nc\n',
    '[core] hooksPath = "with \\"quotes\\" and \\\\ backslash"\n',
    '[a "x\\"y"] b = c\\td\n',
    '\ufeff[core]\r\n\thooksPath = h\r\n',
    '[a]\nb = "  kept  "\nc =   \n',
    '# a comment \\\n[core]\nfsmonitor = x # and one here \\\n  hooksPath = y\n',
    '[core]\neditor = a\\\n  b\n',
  ])('%j reads as git reads it', (text) => {
    expect(parseGitConfig(text)).toEqual(byGit(text));
  });

  test('of any text: what git reads, this reads, too', () => {
    const piece = fc.constantFrom(
      '[core]',
      '[a "b"]',
      '[A.B]',
      '\n',
      '\n\t',
      ' = ',
      '=',
      'key',
      'Fs-Monitor',
      'x',
      '"',
      '\\',
      '\\"',
      '#',
      ';',
      ' ',
      '\t',
      '\\\n',
      'a/b',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = `[s]\n${pieces.join('')}\n`;
        const known = byGit(text);
        fc.pre(known !== undefined);
        expect(evenly(parseGitConfig(text))).toEqual(expect.arrayContaining(evenly(known ?? [])));
      }),
      { numRuns: 60 },
    );
  });

  test('what is damaged hides nothing after it', () => {
    expect(parseGitConfig('[core]\n???\n[filter "x"]\nclean = ./a\n')).toEqual([
      { key: 'filter.x.clean', value: './a' },
    ]);
  });
});

test.each([
  ['core.hookspath', 'team/hooks', [['team/hooks', 'tree', 'folder']]],
  ['core.fsmonitor', './watch --all', [['./watch', 'tree', 'program']]],
  [
    'filter.x.clean',
    'sh -c "tools/a %f" && b/c',
    [
      ['tools/a', 'tree', 'program'],
      ['b/c', 'tree', 'program'],
    ],
  ],
  ['include.path', '../.gitconfig', [['../.gitconfig', 'file', 'include']]],
  ['includeif.onbranch:x.path', 'more', [['more', 'file', 'include']]],
  ['user.name', 'a/b', []],
])('%s = %s names what git reads or runs', (key, value, named) => {
  expect(pathsNamedBy({ key, value }).map(({ path, from, kind }) => [path, from, kind])).toEqual(named);
});
