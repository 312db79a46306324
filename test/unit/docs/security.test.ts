/** docs/security.md names the tests that guard each boundary: every one of them exists. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(`${root}docs/security.md`, 'utf8');
const named = [...text.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm)].map(
  ([, file = '', name = '']) => [file, name] as const,
);

test('every boundary names at least one', () => {
  const boundaries = text
    .slice(text.indexOf('## Boundaries'), text.indexOf('## Not promised'))
    .split('\n### ')
    .slice(1);
  expect(boundaries.length).toBeGreaterThan(5);
  for (const boundary of boundaries) expect(boundary).toMatch(/^- `test\//m);
});

test.each(named)('%s: %s', (file, name) => {
  expect(existsSync(`${root}${file}`)).toBe(true);
  expect(readFileSync(`${root}${file}`, 'utf8')).toContain(name);
});
