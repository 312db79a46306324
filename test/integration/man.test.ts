/** Checks that groff formats the manual pages without a warning. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../man', import.meta.url));

/** Warnings name the file and the line. */
function format(files: string[], input = '') {
  // Bold would be a letter printed twice.
  const args = ['-man', '-ww', '-Tutf8', '-P-cbou', ...files];
  const { stdout, stderr, error } = spawnSync('groff', args, { cwd: folder, input, encoding: 'utf8' });
  if (error) throw error;
  return { text: stdout, warnings: stderr };
}

test('every page is formatted without a warning', () => {
  const pages = readdirSync(folder);
  expect(pages.length).toBeGreaterThan(30);
  const { text, warnings } = format(pages);
  expect(warnings).toBe('');
  expect(text.match(/^SEE ALSO$/gm)).toHaveLength(pages.length);
});

test('a broken page has warnings', () => {
  expect(format(['-'], '.TH X 1\n.SH NAME\nx \\- y\n.NOSUCH\n').warnings).toContain('NOSUCH');
});
