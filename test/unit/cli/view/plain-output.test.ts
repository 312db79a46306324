import { describe, expect, test } from 'vitest';
import { plainLines } from '../../../../lib/cli/view/plain-output.ts';

function linesOf(...pieces: string[]): string[] {
  const plain = plainLines();
  return [...pieces.flatMap((piece) => plain.push(Buffer.from(piece))), ...plain.end()];
}

describe('what was said on a terminal', () => {
  test.each([
    ['lines of a terminal', 'one\r\ntwo\r\n', ['one', 'two']],
    ['a last line without its end', 'one\ntwo', ['one', 'two']],
    ['colours', '\x1b[1;31mred\x1b[0m\n', ['\x1b[1;31mred\x1b[0m']],
    ['moves and modes', '\x1b[2J\x1b[1;1H\x1b[?25lhello\x1b[K\x1b[?2004h\n', ['hello']],
    ['titles, ended in both ways', '\x1b]0;title\x07a\x1b]2;title\x1b\\b\n', ['ab']],
    ['the clipboard and graphics', '\x1b]52;c;aGFjaw==\x07\x1bP1$r\x1b\\\x1b_Gi=1;AAAA\x1b\\x\n', ['x']],
    ['other orders', '\x1b7\x1b8\x1b=\x1b>\x1bM\x1bc\x1b(Bx\x1b[>1u\x1b[3 q\n', ['x']],
    ['a line written over', '10%\r50%\r100%\r\n', ['100%']],
  ])('%s', (_name, output, lines) => {
    expect(linesOf(output)).toEqual(lines);
  });

  test('a character and a line that come in pieces are whole', () => {
    const plain = plainLines();
    const bytes = Buffer.from('grün\n');
    expect(plain.push(bytes.subarray(0, 3))).toEqual([]);
    expect(plain.push(bytes.subarray(3))).toEqual(['grün']);
    expect(plain.end()).toEqual([]);
  });

  test('a line without an end is cut, not kept for ever', () => {
    const plain = plainLines();
    const lines = plain.push(Buffer.alloc(200_000, 'x'));
    expect(lines.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536]);
    expect(plain.end()[0]?.length).toBe(200_000 - 3 * 65_536);
  });
});
