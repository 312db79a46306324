/** The example and the templates are documentation, so they must load. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { builtinTemplates, templatesDir } from '../../../../lib/config/load/templates.ts';
import { fileSchema } from '../../../../lib/config/schema/schema.ts';
import { KEY } from '../../signing/data.ts';
import { hostFacts, load, makeProject } from '../project.ts';

const example = readFileSync(join(templatesDir(), '../sandbox.toml.example'), 'utf8');

/** The example with commented-out fields enabled: the later of two values of a key wins. */
function withEverything(text: string): string {
  const lines: string[] = [];
  for (const line of text.split('\n').map((one) => one.replace(/^# (?=\[|\w+ = )/, ''))) {
    const key = /^(\w+) = /.exec(line)?.[1];
    const header = lines.findLastIndex((one) => one.startsWith('['));
    const same =
      key === undefined ? -1 : lines.findIndex((one, index) => index > header && one.startsWith(`${key} = `));
    if (same >= 0) lines.splice(same, 1);
    lines.push(line);
  }
  return lines.join('\n');
}

test('the example loads', async () => {
  const spec = await load(example);
  expect(spec.sandboxes.map(({ name }) => name)).toEqual(['dev', 'review-1', 'review-2', 'custom']);
});

test('the example loads with its commented-out fields', async () => {
  const gitValue = async (name: string) => (name === 'gpg.format' ? 'ssh' : KEY);
  const spec = await load(withEverything(example), hostFacts({ gitValue }));
  expect(spec.sandboxes.length).toBeGreaterThan(0);
});

test('the example shows every field of the schema', () => {
  const words = new Set(withEverything(example).match(/[a-z_]+/g));
  expect(
    keysOf(z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' })).filter((key) => !words.has(key)),
  ).toEqual([]);
});

test.each(await builtinTemplates())('the template %s loads and describes its agent', async (name) => {
  const spec = await load(`agent = "${name}"`);
  const agent = spec.sandboxes[0]?.agent;
  expect(agent?.name).toBe(name);
  expect(agent?.command).not.toEqual([]);
  expect(agent?.headless.join(' ')).toContain('{prompt}');
});

test('every template pins the versions of its packages', async () => {
  for (const name of await builtinTemplates()) {
    const spec = await load(`agent = "${name}"`);
    for (const entry of spec.sandboxes[0]?.packages.npm ?? [])
      expect(entry).toMatch(/^(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+$/);
  }
});

test('a template also works below another file', async () => {
  const dir = await makeProject({ 'sandbox.toml': 'extends = ["claude"]\n[agent]\nargs = ["--verbose"]' });
  const spec = await loadProject({ cwd: dir, host: hostFacts() });
  expect(spec.sandboxes[0]?.agent).toMatchObject({
    name: 'claude',
    headless: ['claude', '--dangerously-skip-permissions', '-p', '--verbose', '{prompt}'],
  });
});

test('templates are TOML files and nothing else', () => {
  expect(readdirSync(templatesDir()).filter((name) => !/^[a-z0-9-]+\.toml$/.test(name))).toEqual([]);
});

function keysOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = 'properties' in node && typeof node.properties === 'object' ? Object.keys(node.properties ?? {}) : [];
  return [...own, ...Object.values(node).flatMap(keysOf)];
}
