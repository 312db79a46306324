import { expect, test } from 'vitest';
import { createView } from '../../../../lib/cli/view/view.ts';

test('JSON is one line that means the value and steers no terminal', async () => {
  const written: string[] = [];
  const stdout = { write: (text: string) => written.push(text) };
  const nasty = { host: '\x1b[2J\u009b2J\u202eevil\u2028\u{e0001}\r\n', plain: 'é 漢 😀' };
  (await createView(true, { stdout } as unknown as NodeJS.Process)).line(nasty, '');
  const text = written.join('');
  expect(text.endsWith('\n')).toBe(true);
  expect(text.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(text).toContain('é 漢 😀');
  expect(JSON.parse(text)).toEqual(nasty);
});
