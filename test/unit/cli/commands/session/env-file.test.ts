import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEnvFile } from '../../../../../lib/cli/commands/session/env-file.ts';

test.each<[what: string, text: string, variables: Record<string, string>]>([
  ['nothing', '', {}],
  ['comments and empty lines', '# A=1\n\n  # B=2\n', {}],
  ['plain values', 'A=1\n B = two words \r\nexport C=x=y\nD=\n', { A: '1', B: 'two words', C: 'x=y', D: '' }],
  ['a comment behind a value', 'A=1 # one\nB=a#b\nC= # none\n', { A: '1', B: 'a#b', C: '' }],
  [
    'quotes',
    `A=" a # b " # c\nB='it\\n$X'\nC="say \\"hi\\"\\n\\$X\\\\"\n`,
    { A: ' a # b ', B: 'it\\n$X', C: 'say "hi"\n$X\\' },
  ],
  ['a value of several lines', 'KEY="-----BEGIN\nabc\n-----END"\nB=2\n', { KEY: '-----BEGIN\nabc\n-----END', B: '2' }],
  ['the same name twice', 'A=1\nA=2\n', { A: '2' }],
  ['a byte order mark', '\uFEFFA=1', { A: '1' }],
])('%s', (_what, text, variables) => {
  expect(parseEnvFile(text, '/p/.env')).toEqual(variables);
});

test('a name of the prototype is a name like any other', () => {
  expect(Object.entries(parseEnvFile('__proto__=x', '/p/.env'))).toEqual([['__proto__', 'x']]);
});

test.each([
  ['a name without a value', 'A=1\nB\n', 2],
  ['an invalid name', '1A=1', 1],
  ['a quote without an end', 'A=1\nB="x\nC=2\n', 2],
  ['text after the quote', `A='x' y`, 1],
  ['a NUL character', 'A=x\0y', 1],
])('%s is an error with its line', (_what, text, line) => {
  expect(() => parseEnvFile(text, '/p/.env')).toThrow(
    expect.objectContaining({ code: 'usage', place: { file: '/p/.env', line, column: 1 } }),
  );
});

test('any text is variables or an error with a line', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '\n', '#', ' ', 'n') }), (text) => {
      try {
        expect(Object.values(parseEnvFile(text, '/f')).every((value) => typeof value === 'string')).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'usage', place: { line: expect.any(Number) } });
      }
    }),
  );
});
