/** docs/troubleshooting.md has each failure that a user can meet, with a way to explain it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const page = read('docs/troubleshooting.md');
/** First cells of the tables of the page → the whole row */
const rows = new Map(
  [...page.matchAll(/^\| (.+?) \|.*$/gm)].map(([row, first = '']) => [
    first.replaceAll('`', '').split(' FAILED')[0],
    row,
  ]),
);
/** The error names the line, which is to be removed. */
const SELF_EXPLAINING = ['config-unsupported'];

describe('error codes', () => {
  const table = page.slice(page.indexOf('## Error codes'));
  const codes = [...table.matchAll(/^\| `([\w-]+)` \| (.+?) \| (.+) \|$/gm)];
  // test/unit/docs/errors.test.ts: no code is missing.
  test('each has a meaning, and a command that explains or ends it', () => {
    expect(codes.length).toBeGreaterThan(20);
    const without = codes.filter(([, , , todo = '']) => !/`(sbx \w|SBX_)/.test(todo)).map(([, code]) => code);
    expect(without.toSorted()).toEqual(SELF_EXPLAINING.toSorted());
  });
});

test('each condition of a sandbox has a row', () => {
  const source = read('lib/daemon/status/status.ts');
  const types = [...source.matchAll(/(?:make\(\s*|type: )'([A-Z]\w+)'/g)].map(([, type = '']) => type);
  expect(types).toEqual(expect.arrayContaining(['Applied', 'Ready', 'MemoryAvailable', 'Healthy']));
  expect(types.filter((type) => !rows.has(type))).toEqual([]);
});

test('each check of sbx doctor has a row', () => {
  const sources = readdirSync(new URL('../../../lib/cli/doctor', import.meta.url)).map((file) =>
    read(`lib/cli/doctor/${file}`),
  );
  const names = sources.flatMap((source) =>
    [...source.matchAll(/name(?:: | = )'([^']+)'/g)].map(([, name = '']) => name),
  );
  expect(names).toEqual(expect.arrayContaining(['Node.js', 'APT sources', 'disk space']));
  const known = [...rows.keys()].join('\n');
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

test('each way the daemon or QEMU can fail is more than a code: common problems name their commands', () => {
  const problems = page
    .slice(page.indexOf('## Common problems'), page.indexOf('## Error codes'))
    .split('\n### ')
    .slice(1);
  expect(problems.length).toBeGreaterThan(10);
  expect(problems.filter((text) => !text.includes('sbx ')).map((text) => text.split('\n')[0])).toEqual([]);
});
