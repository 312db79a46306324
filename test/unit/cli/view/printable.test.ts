import { describe, expect, it } from 'vitest';
import { inOneLine, printable } from '../../../../lib/cli/view/printable.ts';

const ESC = '\x1b';

describe('text from outside on a terminal', () => {
  it.each([
    ['a cursor that moves up over an approval', `safe${ESC}[1Aallow all`, 'safe\\u{1b}[1Aallow all'],
    ['a window that is renamed', `${ESC}]0;root@host\x07`, '\\u{1b}]0;root@host\\u{7}'],
    ['a one-byte CSI', '\u{9b}2J', '\\u{9b}2J'],
    ['a line that starts over', 'deny\rallow', 'deny\\u{d}allow'],
    ['letters that run the other way', 'a\u{202e}b', 'a\\u{202e}b'],
    ['invisible letters', 'ok\u{200b}.test', 'ok\\u{200b}.test'],
    ['colours, unless asked for', `${ESC}[31mred${ESC}[0m`, '\\u{1b}[31mred\\u{1b}[0m'],
  ])('%s is shown, not obeyed', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('leaves ordinary text of any language, tabs and lines alone', () => {
    expect(printable('Grüße, 世界\n\tдом 🏠')).toBe('Grüße, 世界\n\tдом 🏠');
  });

  it('lets colours pass where asked for, and nothing else', () => {
    expect(printable(`${ESC}[1;31mred${ESC}[0m${ESC}[2J`, { colours: true })).toBe(
      `${ESC}[1;31mred${ESC}[0m\\u{1b}[2J`,
    );
  });

  it('keeps a value inside of its line', () => {
    expect(inOneLine('host\nallowed: everything')).toBe('host\\u{a}allowed: everything');
  });
});
