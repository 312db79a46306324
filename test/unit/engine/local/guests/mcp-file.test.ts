/** The agent's own MCP file keeps what is in it. */
import { parse } from '@iarna/toml';
import { expect, test } from 'vitest';
import { mergeEntry } from '../../../../../lib/engine/local/guests/mcp-file.ts';

test('JSON: what is there stays', () => {
  const merged = mergeEntry(
    '{"theme":"dark","mcpServers":{"own":{"url":"x"}}}',
    '{"mcpServers":{"sbx":{"url":"y"}}}',
    'json',
  );
  expect(JSON.parse(merged)).toEqual({ theme: 'dark', mcpServers: { own: { url: 'x' }, sbx: { url: 'y' } } });
  expect(mergeEntry(merged, '{"mcpServers":{"sbx":{"url":"y"}}}', 'json')).toBe(merged);
});

test('an absent file is made', () => {
  expect(JSON.parse(mergeEntry('', '{"a":1}', 'json'))).toEqual({ a: 1 });
  expect(parse(mergeEntry('', 'mcp_servers.sbx.url = "y"', 'toml'))).toEqual({ mcp_servers: { sbx: { url: 'y' } } });
});

test('TOML: what is there stays, with its comments', () => {
  const merged = mergeEntry('# mine\na = 1\n[mcp_servers.own]\nurl = "x"\n', 'mcp_servers.sbx.url = "y"', 'toml');
  expect(merged).toContain('# mine');
  expect(parse(merged)).toEqual({ a: 1, mcp_servers: { own: { url: 'x' }, sbx: { url: 'y' } } });
});

test.each(['[]', '1', '{', '{ // comment\n}'])('%s is not merged', (text) => {
  expect(() => mergeEntry(text, '{"a":1}', 'json')).toThrow();
});

test('a hostile file changes no prototype', () => {
  mergeEntry('{"__proto__":{"polluted":1},"a":{}}', '{"a":{"b":1}}', 'json');
  expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
});
