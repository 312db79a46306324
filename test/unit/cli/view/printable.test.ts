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

  it.each([
    ['concealed', `${ESC}[8mhidden`],
    ['black on black', `${ESC}[30;40mhidden`],
    ['white', `${ESC}[0;37mhidden`],
    ['a colour by number', `${ESC}[38;5;0mhidden`],
    ['an empty letter', 'a\u{3164}b'],
    ['a selector of the other plane', 'a\u{e0101}b'],
    ['an empty Braille pattern', 'a\u{2800}b'],
  ])('lets no colour or letter pass that hides text: %s', (_, text) => {
    expect(printable(text, { colours: true })).not.toBe(text);
    expect(printable(text, { colours: true })).toMatch(/\\u\{/);
  });

  it.each([`${ESC}[0;1;39mok`, `${ESC}[m`, `${ESC}[0;32mok`, `${ESC}[90mold`, `${ESC}[2;91mold`])(
    'lets usual colours pass: %j',
    (text) => expect(printable(text, { colours: true })).toBe(text),
  );

  it('keeps a value inside of its line', () => {
    expect(inOneLine('host\nallowed: everything')).toBe('host\\u{a}allowed: everything');
  });
});
