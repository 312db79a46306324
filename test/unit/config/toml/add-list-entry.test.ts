import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addListEntry } from '../../../../lib/config/toml/add-list-entry.ts';
import { parseText } from '../../../../lib/config/toml/read-toml.ts';

const NETWORK = ['network', 'allow'];
const REVIEW = ['sandboxes', 'review', 'network', 'allow'];
const add = (text: string, path = NETWORK, entry = 'new.test') => addListEntry(text, { path, entry });

describe('a list that exists', () => {
  test.each([
    ['one line', '[network]\nallow = ["a.test"]\n', '[network]\nallow = ["a.test", "new.test"]\n'],
    ['a trailing comma', '[network]\nallow = ["a.test", ]\n', '[network]\nallow = ["a.test", "new.test", ]\n'],
    ['empty', '[network]\nallow = []\n', '[network]\nallow = ["new.test"]\n'],
    ['empty with spaces', '[network]\nallow = [ ] # none\n', '[network]\nallow = ["new.test" ] # none\n'],
    ['single quotes', "[network]\nallow = ['a.test']\n", '[network]\nallow = [\'a.test\', "new.test"]\n'],
    [
      'a comment behind',
      '[network]\nallow = ["a.test"] # why, and ]\n',
      '[network]\nallow = ["a.test", "new.test"] # why, and ]\n',
    ],
    ['no line feed at the end', '[network]\nallow = ["a.test"]', '[network]\nallow = ["a.test", "new.test"]'],
    ['a dotted key', 'network.allow = ["a.test"]\n', 'network.allow = ["a.test", "new.test"]\n'],
    ['a quoted key', '["network"]\n"allow" = ["a.test"]\n', '["network"]\n"allow" = ["a.test", "new.test"]\n'],
    [
      'an inline table',
      'network = { allow = ["a.test"], deny = [] }\n',
      'network = { allow = ["a.test", "new.test"], deny = [] }\n',
    ],
    ['brackets in its text', '[network]\nallow = ["[::1]:80"]\n', '[network]\nallow = ["[::1]:80", "new.test"]\n'],
  ])('%s', (_name, before, after) => expect(add(before)).toBe(after));

  test.each([
    ['lines, trailing comma', '  "a.test",\n', '  "a.test",\n  "new.test",\n'],
    ['lines, no trailing comma', '  "a.test",\n  "b.test"\n', '  "a.test",\n  "b.test",\n  "new.test"\n'],
    ['a comment behind the last', '  "a.test", # mine, and yours\n', '  "a.test", # mine, and yours\n  "new.test",\n'],
    [
      'comments between and after',
      '  # first\n  "a.test",\n  # "off.test",\n',
      '  # first\n  "a.test",\n  "new.test",\n  # "off.test",\n',
    ],
    ['tabs', '\t"a.test",\n', '\t"a.test",\n\t"new.test",\n'],
    ['two on a line', '  "a.test", "b.test",\n', '  "a.test", "b.test", "new.test",\n'],
    ['only a comment', '    # none yet\n', '    "new.test"\n    # none yet\n'],
    ['nothing', '', '  "new.test"\n'],
  ])('over several lines: %s', (_name, before, after) => {
    const around = (inner: string) => `# top\n[network]\nallow = [\n${inner}]\ndeny = ["x.test"] # last\n`;
    expect(add(around(before))).toBe(around(after));
    const crlf = (text: string) => text.replaceAll('\n', '\r\n');
    expect(add(crlf(around(before)))).toBe(crlf(around(after)));
  });

  test('the last one without a comma, but with a comment: the comment stays with its entry', () => {
    const edited = add('[network]\nallow = [\n  "a.test" # a, b\n]\n');
    expect(edited).toBe('[network]\nallow = [\n  "a.test",# a, b\n  "new.test"\n]\n');
  });

  test('a comma on the next line moves to its entry', () => {
    const edited = add('[network]\nallow = [\n  "a.test"\n  ,\n]\n');
    expect(edited).toBe('[network]\nallow = [\n  "a.test",\n  "new.test",\n]\n');
  });

  test('aligned below the first', () => {
    const before = '[network]\nallow = ["a.test",\n         "b.test"]\n';
    expect(add(before)).toBe('[network]\nallow = ["a.test",\n         "b.test",\n         "new.test"]\n');
  });

  test('a byte order mark stays in front', () => {
    expect(add('\uFEFF[network]\nallow = []\n')).toBe('\uFEFF[network]\nallow = ["new.test"]\n');
    expect(add('\uFEFF')).toBe('\uFEFF[network]\nallow = ["new.test"]\n');
  });

  test('an entry that exists changes nothing', () => {
    const text = '[network]\nallow = ["new.test"] # as it is\n';
    expect(add(text)).toBe(text);
  });
});

describe('a list that is missing', () => {
  test.each([
    [
      'its table exists',
      '[network] # all\ndeny = ["x.test"]\n',
      '[network] # all\nallow = ["new.test"]\ndeny = ["x.test"]\n',
    ],
    ['its table is the last line', 'version = 1\n[network]', 'version = 1\n[network]\nallow = ["new.test"]\n'],
    ['an empty file', '', '[network]\nallow = ["new.test"]\n'],
    ['only comments', '# mine\n', '# mine\n\n[network]\nallow = ["new.test"]\n'],
    [
      'other tables',
      'version = 1\n\n[env]\nA = "1"\n',
      'version = 1\n\n[env]\nA = "1"\n\n[network]\nallow = ["new.test"]\n',
    ],
    ['no line feed at the end', '[env]\nA = "1"', '[env]\nA = "1"\n\n[network]\nallow = ["new.test"]\n'],
    ['CRLF', 'version = 1\r\n', 'version = 1\r\n\r\n[network]\r\nallow = ["new.test"]\r\n'],
    ['an inline table', 'network = { deny = [] }\n', 'network = { deny = [], allow = ["new.test"] }\n'],
    ['an empty inline table', 'network = {}\n', 'network = {allow = ["new.test"]}\n'],
    [
      'a dotted key beside',
      'version = 1\nnetwork.deny = []\n',
      'version = 1\nnetwork.deny = []\nnetwork.allow = ["new.test"]\n',
    ],
    [
      'a table of tables below it',
      'version = 1\n\n# only reading\n[[network.http]]\nhost = "a.test"\n',
      'version = 1\n\n# only reading\n[[network.http]]\nhost = "a.test"\n\n[network]\nallow = ["new.test"]\n',
    ],
  ])('%s', (_name, before, after) => expect(add(before)).toBe(after));

  test.each([
    [
      'its sandbox is',
      '[sandboxes.review]\ncount = 2\n\n# other\n[sandboxes.dev]\n',
      '[sandboxes.review]\ncount = 2\n\n# other\n[sandboxes.dev]\n\n[sandboxes.review.network]\nallow = ["new.test"]\n',
    ],
    [
      'its sandbox with a network',
      '[sandboxes.review.network]\ndeny = []\n',
      '[sandboxes.review.network]\nallow = ["new.test"]\ndeny = []\n',
    ],
    [
      'its sandbox inline',
      '[sandboxes]\nreview = { count = 2 }\n',
      '[sandboxes]\nreview = { count = 2, network = {allow = ["new.test"]} }\n',
    ],
    [
      'its sandbox dotted',
      '[sandboxes]\nreview.count = 2\n',
      '[sandboxes]\nreview.count = 2\n\n[sandboxes.review.network]\nallow = ["new.test"]\n',
    ],
    ['nothing of it', 'version = 1\n', 'version = 1\n\n[sandboxes.review.network]\nallow = ["new.test"]\n'],
  ])('below [sandboxes]: %s', (_name, before, after) => expect(add(before, REVIEW)).toBe(after));
});

describe('a text that cannot be extended', () => {
  test.each([
    ['no TOML', '[network\n'],
    ['another value in its place', '[network]\nallow = "a.test"\n'],
    ['a table in its place', '[network.allow]\na = 1\n'],
    ['a list of tables on the way', '[[network]]\ndeny = []\n'],
    ['a list in a text of mixed line ends', '[network]\r\nallow = ["a.test"]\ndeny = []\r\n'],
  ])('is refused: %s', (_name, text) => expect(add(text)).toBeUndefined());
});

test('any text: the result means the old values and the entry, and keeps the old characters and line ends', () => {
  const comment = fc.constantFrom('', ' # c', ' # "x", ]', ' # é');
  const gap = fc.constantFrom(' ', '\n', '\n  ', '\n\t', '\n  # c, ]\n  ');
  const element = fc.constantFrom('"a.test"', "'b.test'", '"""c"""', '"d\\"]"', "'''e]'''");
  const list = fc.tuple(fc.array(fc.tuple(gap, element)), gap, fc.boolean()).map(([items, last, comma]) => {
    const body = items.map(([space, item]) => `${space}${item}`).join(',');
    return `[${body}${comma && items.length > 0 ? ',' : ''}${last}]`;
  });
  const pair = fc.tuple(fc.constantFrom('allow', 'deny', '"allow"', 'mode'), list, comment);
  const section = fc.tuple(
    fc.constantFrom('[network]', '[env]', '[sandboxes.review.network]', '[[mounts]]', ''),
    fc.array(pair),
  );
  const file = fc.tuple(fc.array(section), fc.constantFrom('\n', '\r\n')).map(([sections, eol]) =>
    sections
      .map(([head, pairs]) => [head, ...pairs.map(([key, value, end]) => `${key} = ${value}${end}`)].join('\n'))
      .join('\n\n')
      .replaceAll('\n', eol),
  );
  let edits = 0;
  fc.assert(
    fc.property(file, fc.constantFrom(NETWORK, REVIEW), (text, path) => {
      const edited = add(text, path);
      if (edited === undefined || edited === text) return;
      edits += 1;
      const [old = '', kept = ''] = [text, edited].map((one) => one.replaceAll(/[\s,]/g, ''));
      const cut = [...old].findIndex((char, index) => char !== kept[index]);
      expect(kept.endsWith(cut < 0 ? '' : old.slice(cut))).toBe(true);
      const feeds = (one: string) => one.replaceAll('\r\n', '').includes('\n');
      expect(feeds(edited)).toBe(feeds(text) || !text.includes('\n'));
      const value = path.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], parseText(edited));
      expect((value as string[]).at(-1)).toBe('new.test');
    }),
    { numRuns: 1_000 },
  );
  expect(edits).toBeGreaterThan(100);
});
