import { describe, expect, test } from 'vitest';
import { inline, literal, renderPage, verbatim } from '../../../lib/man/roff.ts';

describe('text of the docs', () => {
  test.each([
    ['the `-y` flag', 'the \\fB\\-y\\fR flag'],
    ['read-only, or -: from stdin', 'read-only, or \\-: from stdin'],
    ['the sandbox, then -- and more', 'the sandbox, then \\-\\- and more'],
    ['see [the docs](a.md#b) of **all**', 'see the docs of all'],
    ['`C:\\x` and "y"', '\\fBC:\\ex\\fR and \\(dqy\\(dq'],
    ['`[NAME…]`', '\\fB[NAME\\[u2026]]\\fR'],
    ['.bashrc is a file', '\\&.bashrc is a file'],
    ["'quoted' at the start", "\\&'quoted' at the start"],
  ])('%j', (text, roff) => expect(inline(text)).toBe(roff));
});

test('typed text keeps the signs that readers copy', () => {
  expect(literal("a --b '~' ^`")).toBe('a \\-\\-b \\(aq\\(ti\\(aq \\(ha\\(ga');
  expect(verbatim(['.env', '', 'x'])).toEqual(['.PP', '.nf', '.RS 4', '\\&.env', '.sp', 'x', '.RE', '.fi']);
});

test('no text of a page becomes a request', () => {
  const page = renderPage({
    name: 'x',
    section: 1,
    brief: '.so /etc/passwd',
    version: '1',
    parts: [{ title: 'A', lines: [inline('.sy id'), inline("'sy id"), inline('\\fBbold')] }],
  });
  expect(page).not.toMatch(/^[.'](?:so|sy)/m);
  expect(page).toContain('\\efBbold');
});
