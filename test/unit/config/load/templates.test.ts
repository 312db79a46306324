/** Requirements of every template; the code must not depend on any of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtinTemplates, templatesDir } from '../../../../lib/config/load/templates.ts';
import { load } from '../project.ts';

const names = await builtinTemplates();
const textOf = (name: string) => readFileSync(join(templatesDir(), `${name}.toml`), 'utf8');
const libDir = join(templatesDir(), '../lib');

test.each(names)('%s begins with a description and shows how to run it', (name) => {
  const [first = '', ...rest] = textOf(name).split('\n');
  expect(first).toMatch(new RegExp(`^# ${name}: [^ ].{10,}\\.$`));
  const comments = rest.filter((line) => line.startsWith('#')).join('\n');
  expect(comments).toContain(`agent = "${name}"`);
  expect(comments).toMatch(/sbx run {2,}\S/);
  expect(comments).toMatch(/sbx run --headless "\S+" {2,}\S/);
});

test.each(names.filter((name) => name !== 'shell'))(
  '%s allows explicit hosts, and sets the file for MCP servers',
  async (name) => {
    const [spec] = (await load(`agent = "${name}"`)).sandboxes;
    expect((spec?.network.allow.length ?? 0) + (spec?.services?.length ?? 0)).toBeGreaterThan(0);
    // A wildcard would allow every owner of a name below it.
    for (const { pattern } of spec?.network.allow ?? []) expect(pattern).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    expect([spec?.agent.mcpFile, spec?.agent.mcpFormat]).toEqual([expect.stringMatching(/^~\//), expect.any(String)]);
  },
);

test.each(names)('the files of %s match their extensions', async (name) => {
  const [spec] = (await load(`agent = "${name}"`)).sandboxes;
  for (const [path, content] of Object.entries(spec?.agent.files ?? {}))
    if (/\.jsonc?$/.test(path)) expect(Object.keys(JSON.parse(content))).not.toEqual([]);
});

/** Two templates are named for what they are without: an agent, and a service elsewhere. */
const agentNames = names.filter((name) => !['shell', 'local'].includes(name));

test('nothing in lib/ names an agent: only the files and folders that agents keep in a workspace are known', () => {
  const agents = new RegExp(`(?<![.\\w])(${agentNames.join('|')})(?!\\w|\\.jsonc?')`, 'i');
  const lines = readdirSync(libDir, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      readFileSync(join(libDir, file), 'utf8')
        .split('\n')
        .map((line) => `${file}: ${line}`),
    );
  expect(lines.length).toBeGreaterThan(5000);
  expect(lines.filter((line) => agents.test(line))).toEqual([]);
  // The pattern does find what it is there to find.
  for (const name of agentNames) expect(`if (agent === '${name}')`).toMatch(agents);
});
