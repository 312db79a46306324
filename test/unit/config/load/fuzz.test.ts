/** Any content loads or gives one clear error with its place: no other exception, no endless loop. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test, vi } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { templatesDir } from '../../../../lib/config/load/templates.ts';
import { SbxError } from '../../../../lib/errors.ts';
import { hostFacts } from '../project.ts';

const example = readFileSync(join(templatesDir(), '../sandbox.toml.example'), 'utf8').replaceAll(
  /^# (?=\[|\w+ = )/gm,
  '',
);
const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-fuzz-')));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'sandbox.toml');

async function loadsOrHasPlace(content: string | Uint8Array): Promise<void> {
  writeFileSync(file, content);
  const error = await loadProject({ cwd: dir, host: hostFacts() }).then(
    () => undefined,
    (found: unknown) => found,
  );
  if (error === undefined) return;
  expect(error).toBeInstanceOf(SbxError);
  const { kind, message, hint, place } = error as SbxError;
  expect(kind).toBe('user');
  expect(message).not.toMatch(/\n|undefined|\[object|\bat .+:\d+:\d+/);
  expect(hint).toMatch(/\w/);
  expect(place?.file).toBe(file);
  // A place may be behind the last character.
  const lines = Buffer.from(content)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split('\n');
  expect(place?.line).toBeGreaterThanOrEqual(1);
  expect(place?.line).toBeLessThanOrEqual(lines.length);
  expect(place?.column).toBeGreaterThanOrEqual(1);
  expect(place?.column).toBeLessThanOrEqual((lines[(place?.line ?? 1) - 1] ?? '').length + 2);
}

// Slow on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const check = <T>(arbitrary: fc.Arbitrary<T>, numRuns: number, textOf: (value: T) => string | Uint8Array) =>
  fc.assert(
    fc.asyncProperty(arbitrary, (value) => loadsOrHasPlace(textOf(value))),
    { numRuns },
  );

test('bytes', () => check(fc.uint8Array({ maxLength: 200 }), 400, (bytes) => bytes));

test('characters that mean something in TOML', () => {
  const piece = fc.constantFrom(
    ...'[]{}=.,#"\'\\\n\r\t \uFEFF\0',
    '"""',
    "'''",
    '\\u',
    '[[',
    'a',
    '1',
    '-',
    ':',
    'true',
    '1979-05-27',
    'é',
    '😀',
  );
  return check(fc.array(piece, { maxLength: 30 }), 600, (pieces) => pieces.join(''));
});

test('the example with some of its characters cut out, put in or exchanged', () => {
  const change = fc.record({
    at: fc.nat(example.length),
    cut: fc.nat(12),
    put: fc.oneof(
      fc.constantFrom('"', "'", '\n', '[', ']', '=', '{', '}', '.', ',', '#', '0', 'x', '\\'),
      fc.string({ maxLength: 6, unit: 'binary' }),
    ),
  });
  return check(fc.array(change, { minLength: 1, maxLength: 4 }), 300, (changes) =>
    changes.reduce((text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut), example),
  );
});

test('the example with its lines dropped, doubled and in another order', () => {
  const lines = example.split('\n');
  return check(fc.array(fc.nat(lines.length - 1), { maxLength: 60 }), 200, (picks) =>
    picks.map((index) => lines[index]).join('\n'),
  );
});

test('every field of the example with a value of another kind', () => {
  const fields = example.split('\n').flatMap((line, index) => (/^\w+ = /.test(line) ? [index] : []));
  const value = fc.oneof(
    fc.constantFrom(
      '0',
      '-1',
      '1.5',
      'inf',
      '-nan',
      '0xFF',
      '9007199254740993',
      '1e400',
      'true',
      '""',
      '"\\u0000"',
      '[]',
      '[[]]',
      '{}',
      '{a = 1}',
      '2026-02-30',
      '2026-01-01T00:00:00Z',
      '07:32:00',
      '[1, "a"]',
      '"../../x"',
      '"~"',
      '"/"',
      '[""]',
      '["", ""]',
      "'''\n'''",
      '{constructor = 1}',
      '{__proto__ = {}}',
      '[{}]',
    ),
    fc.json({ maxDepth: 1 }).map((text) => text.replaceAll('null', '1').replaceAll('":', '"=')),
  );
  return check(fc.tuple(fc.constantFrom(...fields), value), 400, ([index, text]) =>
    example
      .split('\n')
      .map((line, at) => (at === index ? line.replace(/= .*/, () => `= ${text}`) : line))
      .join('\n'),
  );
});
