/** docs/troubleshooting.md explains each error code. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('the tables have each error code, and no other', () => {
  const source = read('lib/errors.ts');
  const [union = ''] = source.slice(source.indexOf('type ErrorCode =')).split(';');
  const codes = [...union.matchAll(/'([\w-]+)'/g)].map(([, code]) => code);
  const page = read('docs/troubleshooting.md');
  const rows = [...page.slice(page.indexOf('## Error codes')).matchAll(/^\| `([\w-]+)` \|/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(rows.toSorted()).toEqual(codes.toSorted());
});
