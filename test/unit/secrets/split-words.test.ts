import { describe, expect, test } from 'vitest';
import { splitWords } from '../../../lib/secrets/split-words.ts';

describe('words of a command', () => {
  test.each([
    ['gh auth token', ['gh', 'auth', 'token']],
    ["  a\t'b c'  d ", ['a', 'b c', 'd']],
    ['a "b \\"c\\" d" e\\ f', ['a', 'b "c" d', 'e f']],
    ["a ''", ['a', '']],
    ['a \'x\'"y"z', ['a', 'xyz']],
    ["awk '{print $2}' /f", ['awk', '{print $2}', '/f']],
    ['op read "op://vault/item?x=1&y=2"', ['op', 'read', 'op://vault/item?x=1&y=2']],
  ])('%s', (line, words) => expect(splitWords(line)).toEqual(words));

  test.each([
    '',
    '  ',
    "''",
    "a 'b",
    'a "b',
    'a \\',
    'a | b',
    'a; b',
    'a && b',
    'a > b',
    'a $HOME',
    'a "$(id)"',
    'a `id`',
    'a *',
    'a\nb',
    '~/x',
  ])('what a shell would do more with is refused: %j', (line) =>
    expect(() => splitWords(line)).toThrow(/^invalid command:/),
  );
});
