/** docs/network.md names the test that shows each program: every one of them exists. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const rows = [...read('docs/network.md').matchAll(/^\|.*\| `(test\/[^`]+)`: (.+) \|$/gm)].map(
  ([, file = '', name = '']) => [file, name] as const,
);

test('there are some', () => {
  expect(rows.length).toBeGreaterThan(5);
});

test.each(rows)('%s: %s', (file, name) => {
  expect(read(file)).toContain(name);
});
