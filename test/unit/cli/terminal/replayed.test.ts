import { describe, expect, test } from 'vitest';
import { withoutQuestions } from '../../../../lib/cli/terminal/replayed.ts';

const clean = (text: string) => withoutQuestions(Buffer.from(text, 'latin1')).toString('latin1');

describe('earlier output', () => {
  test.each([
    ['device attributes', '\x1b[c\x1b[0c\x1b[>c\x1b[>0;1c\x1b[=c'],
    ['the version', '\x1b[>q\x1b[>0q'],
    ['status and position', '\x1b[5n\x1b[6n\x1b[?6n\x1b[?996n'],
    ['modes', '\x1b[?2026$p\x1b[4$p'],
    ['the keyboard', '\x1b[?u\x1b[?4m'],
    ['sizes', '\x1b[14t\x1b[16t\x1b[18t\x1b[21t'],
    ['colours', '\x1b]10;?\x07\x1b]11;?\x1b\\\x1b]4;1;?\x07'],
    ['the clipboard, read or written', '\x1b]52;c;?\x07\x1b]52;c;aGFjaw==\x1b\\'],
    ['capabilities', '\x1bP+q544e\x1b\\\x1bP$qm\x1b\\'],
    ['graphics', '\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\'],
    ['who is there', '\x05'],
  ])('asks nothing more: %s', (_name, question) => {
    expect(clean(`before${question}after`)).toBe('beforeafter');
  });

  test('all else stays: text, colours, moves, modes, titles', () => {
    const text =
      'ü\xff\x1b[31mred\x1b[0m\x1b[2J\x1b[10;20H\x1b[?1049h\x1b[>1u\x1b[<u\x1b[>4;2m\x1b]0;title\x07\x1b[2;5r\x1b[3 q\x1b[22;0t\r\n';
    expect(clean(text)).toBe(text);
  });
});
