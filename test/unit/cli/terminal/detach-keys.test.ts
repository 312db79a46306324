import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detachKeys } from '../../../../lib/cli/terminal/detach-keys.ts';

/** What is passed on read by read, and whether the person left. */
function pushed(keys: string, ...reads: string[]): { pass: string[]; detached: boolean } {
  const matcher = detachKeys(keys);
  const results = reads.map((read) => matcher.push(Buffer.from(read, 'latin1')));
  return {
    pass: results.map(({ pass }) => pass.toString('latin1')),
    detached: results.some(({ detached }) => detached),
  };
}

describe('ctrl-],d', () => {
  test.each([
    ['in one read', ['\x1dd'], ['']],
    ['in two reads', ['\x1d', 'd'], ['', '']],
    ['behind other keys', ['abc\x1dd'], ['abc']],
    ['after a prefix twice', ['\x1d\x1dd'], ['\x1d']],
    ['as the keyboard protocol names it', ['\x1b[93;5u', 'd'], ['', '']],
    ['with the locks on, and keys that go up between', ['\x1b[93;197u\x1b[93;5:3u', '\x1b[100u'], ['', '']],
    ['with event types', ['\x1b[93;5:1u\x1b[93;5:3u\x1b[100;1:1u'], ['']],
    ['with alternate keys', ['\x1b[93:125;5u', 'd'], ['', '']],
    ['as the older protocol names it', ['\x1b[27;5;93~d'], ['']],
    ['named, and cut in two', ['x\x1b[93', ';5ud'], ['x', '']],
  ])('leaves, %s', (_name, reads, pass) => {
    expect(pushed('ctrl-],d', ...reads)).toEqual({ pass, detached: true });
  });

  test.each([
    ['the prefix and another key', ['\x1dx'], ['\x1dx']],
    ['the prefix, then another key', ['\x1d', 'x'], ['', '\x1dx']],
    ['d alone', ['d'], ['d']],
    ['ctrl-d behind it', ['\x1d\x04'], ['\x1d\x04']],
    ['alt-d behind it', ['\x1d', '\x1b[100;3u'], ['', '\x1d\x1b[100;3u']],
    ['] without ctrl', [']d', '\x1b[93;1ud'], [']d', '\x1b[93;1ud']],
    [
      'ESC, arrows, a paste',
      ['\x1b', '\x1b[A\x1b[1;5C', '\x1b[200~\x1d text\x1b[201~'],
      ['\x1b', '\x1b[A\x1b[1;5C', '\x1b[200~\x1d text\x1b[201~'],
    ],
    ['a key that goes up', ['\x1b[93;5:3ud'], ['\x1b[93;5:3ud']],
    ['bytes of any kind', ['\xff\xfe\x00ü'], ['\xff\xfe\x00ü']],
  ])('passes %s on', (_name, reads, pass) => {
    expect(pushed('ctrl-],d', ...reads)).toEqual({ pass, detached: false });
  });

  test('the prefix alone is given back when nothing follows, and so is a sequence that was cut off', () => {
    const matcher = detachKeys('ctrl-],d');
    expect(matcher.push(Buffer.from('a\x1d')).pass.toString()).toBe('a');
    expect(matcher.flush().toString()).toBe('\x1d');
    expect(matcher.push(Buffer.from('d'))).toEqual({ pass: Buffer.from('d'), detached: false });
    expect(matcher.push(Buffer.from('\x1b[')).pass.toString()).toBe('');
    expect(matcher.flush().toString()).toBe('\x1b[');
    expect(matcher.flush().length).toBe(0);
  });

  test('loses and invents nothing', () => {
    const piece = fc.constantFrom('\x1d', 'd', 'x', '\x1b', '[', '93;5u', '\x1b[93;5:3u', '\x1b[A', ';', '~', 'é');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (reads) => {
        const matcher = detachKeys('ctrl-],ctrl-q');
        const out = reads.map((read) => matcher.push(Buffer.from(read, 'latin1')).pass.toString('latin1'));
        expect(out.join('') + matcher.flush().toString('latin1')).toBe(reads.join(''));
      }),
    );
  });
});

describe('other keys', () => {
  test('of one, two and three', () => {
    expect(pushed('ctrl-\\', 'a\x1cb').detached).toBe(true);
    expect(pushed('ctrl-p,ctrl-q', '\x10\x11').detached).toBe(true);
    expect(pushed('CTRL-P,x,Y', '\x10xY').detached).toBe(true);
    expect(pushed('~,.', 'x~~.')).toEqual({ pass: ['x~'], detached: true });
  });

  test.each(['', 'ctrl-', 'ctrl-],', 'ctrl-é', 'escape', 'ctrl-1', 'a b'])('%j are none', (text) => {
    expect(() => detachKeys(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
