import { expect, test } from 'vitest';
import { diffSpecs } from '../../../lib/plan/diff.ts';
import { wideningHash, widensAtBirth } from '../../../lib/plan/widening.ts';
import type { McpServerSpec } from '../../../lib/spec/spec.ts';
import { spec } from './spec.ts';

const source = { file: '/project/sandbox.toml', line: 4, column: 1 };
const notes = (more: Partial<McpServerSpec> = {}): McpServerSpec => ({
  name: 'notes',
  command: ['notes'],
  folders: [],
  tools: ['get_*'],
  source,
  ...more,
});
const { tools: _, ...unfiltered } = notes();
const hashOf = (...mcp: McpServerSpec[]) =>
  wideningHash({ name: 'p', dir: '/project', files: [], sandboxes: [spec({ mcp })] });

test.each([
  ['another program', notes({ command: ['other'] })],
  ['another argument', notes({ command: ['notes', '--write'] })],
  ['another folder', notes({ folders: ['/data'] })],
  ['another tool', notes({ tools: ['get_*', 'delete_*'] })],
  ['no filter', unfiltered],
])('%s of an MCP server widens', (_name, after) => {
  expect(diffSpecs(spec({ mcp: [notes()] }), spec({ mcp: [after] }))).toMatchObject([
    { path: 'mcp', effect: 'restart', widens: true },
  ]);
  expect(hashOf(after)).not.toBe(hashOf(notes()));
});

test('a server widens when it comes, not when it goes', () => {
  expect(diffSpecs(spec(), spec({ mcp: [notes()] }))).toMatchObject([{ path: 'mcp', widens: true }]);
  expect(diffSpecs(spec({ mcp: [notes()] }), spec())).toMatchObject([{ path: 'mcp', widens: false }]);
  expect(widensAtBirth(spec({ mcp: [notes()] })).map(({ path }) => path)).toContain('mcp');
});

test('approvals from before MCP servers stay valid', () => {
  const project = { name: 'p', dir: '/project', files: [] };
  expect(hashOf()).toBe(wideningHash({ ...project, sandboxes: [spec()] }));
});
