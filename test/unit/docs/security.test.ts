/** Each boundary of the threat model has tests, and every test that the list names exists. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
/** Page → section → test file → names of tests */
type Pages = Record<string, Record<string, Record<string, string[]>>>;
const pages = JSON.parse(read('test/unit/docs/security-tests.json')) as Pages;
const named = Object.values(pages)
  .flatMap((sections) => Object.values(sections).flatMap((files) => Object.entries(files)))
  .flatMap(([file, names]) => names.map((name) => [file, name] as const));

test('the boundaries of docs/security.md are those of the list', () => {
  const text = read('docs/security.md');
  const boundaries = text.slice(text.indexOf('## Boundaries'), text.indexOf('## Non-goals'));
  const headings = [...boundaries.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.length).toBeGreaterThan(5);
  expect(headings).toEqual(Object.keys(pages['security.md'] ?? {}));
});

test('each section of the list is a heading of its page, and has tests', () => {
  for (const [page, sections] of Object.entries(pages))
    for (const [section, files] of Object.entries(sections)) {
      expect(read(`docs/${page}`)).toMatch(new RegExp(`^###? ${section}$`, 'm'));
      expect(Object.values(files).flat().length).toBeGreaterThan(0);
    }
});

test.each(named)('%s: %s', (file, name) => {
  expect(existsSync(`${root}${file}`)).toBe(true);
  expect(read(file)).toContain(name);
});
