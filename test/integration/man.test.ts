/** Checks that groff formats the manual pages without a warning. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../man', import.meta.url));

function format(input: string) {
  // Bold would be a letter printed twice.
  const { stdout, stderr, error } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-P-cbou'], {
    input,
    encoding: 'utf8',
  });
  if (error) throw error;
  return { text: stdout, warnings: stderr };
}

test('every page is formatted without a warning', () => {
  const pages = readdirSync(folder);
  expect(pages.length).toBeGreaterThan(30);
  for (const name of pages) {
    const { text, warnings } = format(readFileSync(`${folder}/${name}`, 'utf8'));
    expect({ name, warnings }).toEqual({ name, warnings: '' });
    expect(text).toContain('SEE ALSO');
  }
});

test('a broken page has warnings', () => {
  expect(format('.TH X 1\n.SH NAME\nx \\- y\n.NOSUCH\n').warnings).toContain('NOSUCH');
});
