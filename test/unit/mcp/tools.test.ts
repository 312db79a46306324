/** Which tools a sandbox sees, and under which names. */
import { describe, expect, test } from 'vitest';
import { hashOf, listTools, matches, type Pins, type ServerTools } from '../../../lib/mcp/tools.ts';

const tool = (name: string, description = 'd') => ({ name, description });
const server = (name: string, names: string[], more: Partial<ServerTools> = {}): ServerTools => ({
  server: name,
  tools: names.map((one) => tool(one)),
  patterns: undefined,
  pins: undefined,
  ...more,
});
const shown = (...servers: ServerTools[]) => listTools(servers).map(({ name, state }) => name ?? state);
const pinned = (...names: string[]): Pins => Object.fromEntries(names.map((name) => [name, hashOf(tool(name))]));

describe('names', () => {
  test('are those of the server, unless two have them', () => {
    expect(shown(server('a', ['x', 'y']), server('b', ['x']))).toEqual(['a__x', 'y', 'b__x']);
  });

  test('of a tool cannot be those of a tool of another server', () => {
    expect(shown(server('a', ['x']), server('b', ['x', 'a__x']))).toEqual(['a__x', 'b__x', 'b__a__x']);
  });

  test('that no model takes are withheld', () => {
    expect(shown(server('a', ['x y', '', 'x'.repeat(65), 'é']))).toEqual(Array(4).fill('bad-name'));
  });
});

describe('approval', () => {
  test('withholds what changed and what is new, whatever its name', () => {
    const tools = [tool('x', 'other'), tool('y'), tool('constructor'), tool('__proto__')];
    expect(shown(server('a', [], { tools, pins: pinned('x', 'y') }))).toEqual(['changed', 'y', 'new', 'new']);
  });

  test('covers every part of a definition, in any order of its keys', () => {
    const one = { name: 'x', inputSchema: { a: 1, b: [1, { c: 2 }] } };
    expect(hashOf({ inputSchema: { b: [1, { c: 2 }], a: 1 }, name: 'x' })).toBe(hashOf(one));
    expect(hashOf({ name: 'x', inputSchema: { a: 1, b: [1, { c: 3 }] } })).not.toBe(hashOf(one));
    expect(hashOf({ ...one, annotations: {} })).not.toBe(hashOf(one));
  });
});

describe('patterns', () => {
  test.each([
    ['get_*', 'get_x', true],
    ['get_*', 'forget_x', false],
    ['*', '', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'abc', true],
    ['ab*ba', 'aba', false],
    ['x', 'xx', false],
    ['.', 'a', false],
  ])('%s and %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  test('filter before approval', () => {
    expect(shown(server('a', ['x', 'y'], { patterns: ['y'] }))).toEqual(['filtered', 'y']);
  });
});
