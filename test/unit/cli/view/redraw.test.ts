import { expect, test } from 'vitest';
import { createRedraw } from '../../../../lib/cli/view/redraw.ts';

function screen(stdout: object, env: NodeJS.ProcessEnv = {}) {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  const redraw = createRedraw({ stdout: { write, ...stdout }, env } as unknown as NodeJS.Process);
  return { written, draw: (text: string) => redraw(undefined, text) };
}

test('on a terminal a text takes the place of the last one, however many lines that had', () => {
  const { written, draw } = screen({ isTTY: true, columns: 80, rows: 24 });
  draw('a\nb\nc');
  draw('d');
  draw('e');
  expect(written).toEqual(['\x1b[Ja\nb\nc\n', '\x1b[3A\x1b[Jd\n', '\x1b[1A\x1b[Je\n']);
});

test('lines that would wrap or scroll are cut: cleared is what was drawn', () => {
  const { written, draw } = screen({ isTTY: true, columns: 5, rows: 3 });
  draw('abcdefgh\nb\nc\nd');
  draw('x');
  expect(written).toEqual(['\x1b[Jabcd\nb\n', '\x1b[2A\x1b[Jx\n']);
});

test.each([
  ['a file', {}, {}],
  ['a terminal that cannot move its cursor', { isTTY: true, columns: 80, rows: 24 }, { TERM: 'dumb' }],
  ['a terminal of 0 columns', { isTTY: true, columns: 0, rows: 0 }, {}],
])('%s gets one text after the other', (_, stdout, env) => {
  const { written, draw } = screen(stdout, env);
  draw('a\nb');
  draw('c');
  expect(written).toEqual(['a\nb\n', 'c\n']);
});

test('what steers a terminal is made visible', () => {
  const { written, draw } = screen({ isTTY: true, columns: 80, rows: 24 });
  draw('a\x1b[2J\u202eb');
  expect(written).toEqual(['\x1b[Ja\\u{1b}[2J\\u{202e}b\n']);
});
