/** The examples of the pages are right: sbx accepts each command line and loads each sandbox.toml. Nothing is run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandContext, run } from '@stricli/core';
import { afterAll, describe, expect, test } from 'vitest';
import { app } from '../../../lib/cli/app.ts';
import { setPromptAside } from '../../../lib/cli/run/prompt-argument.ts';
import { loadProject } from '../../../lib/config/load/load-project.ts';
import { readToml } from '../../../lib/config/toml/read-toml.ts';
import { policySchema } from '../../../lib/organisation/schema.ts';
import { hostFacts } from '../config/project.ts';
import { KEY } from '../signing/data.ts';
import { commandLines, examplesOf, mentionsOf } from './examples.ts';

const dir = mkdtempSync(join(tmpdir(), 'sbx-docs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('command lines', () => {
  const lines = examplesOf('sh').flatMap(({ place, text }) => commandLines(text).map((words) => ({ place, words })));

  test('there are many', () => {
    expect(lines.length).toBeGreaterThan(50);
  });

  test.each(lines)('$place: sbx $words', async ({ words }) => {
    expect(await accepts(words)).toBe(true);
  });

  test.each([['aply'], ['apply', '--wideningg'], ['net', 'allow'], ['net', 'lo'], ['cp', 'a'], ['stop', 'a', 'b']])(
    'a wrong one is found: sbx %s %s',
    async (...words) => {
      await expect(accepts(words)).rejects.toThrow();
    },
  );
});

describe('commands in the running text', () => {
  const mentions = mentionsOf('sbx').filter(({ words: [first = ''] }) => /^[a-z]+$/.test(first));

  test('there are many', () => {
    expect(mentions.length).toBeGreaterThan(100);
  });

  test.each(mentions)('$place: sbx $words', async ({ words }) => {
    expect(await unknownIn(words)).toEqual([]);
  });

  test('a wrong command or flag is found', async () => {
    expect(await unknownIn(['net', 'alow'])).toEqual(['alow']);
    expect(await unknownIn(['apply', '--acept-widening'])).toEqual(['--acept-widening']);
  });
});

/** Its first line says which file it is. */
const isPolicy = ({ text }: { text: string }) => text.startsWith('# /etc/sbx/policy.toml\n');

test.each(examplesOf('toml').filter(isPolicy))('a policy: $place', ({ text }) => {
  expect(policySchema.parse(readToml(Buffer.from(text), 'policy.toml').value)).toMatchObject({ version: 1 });
});

describe('sandbox.toml', () => {
  test.each(examplesOf('toml').filter((one) => !isPolicy(one)))('$place', async ({ text }) => {
    expect((await load(text)).sandboxes.length).toBeGreaterThan(0);
  });

  test('a wrong one is found', async () => {
    await expect(load('[network]\nallows = ["api.github.com"]\n')).rejects.toThrow();
  });
});

function load(text: string) {
  const project = mkdtempSync(join(dir, 'project-'));
  const file = join(project, 'sandbox.toml');
  writeFileSync(file, text);
  return loadProject({
    cwd: project,
    host: hostFacts({ gitValue: async (key) => (key === 'gpg.format' ? 'ssh' : KEY) }),
  });
}

/** Parses a command line with the program's own parser. @throws SbxError `usage` where it is wrong. */
async function accepts(words: string[]): Promise<boolean> {
  if (['--help', '--version'].includes(words.at(-1) ?? '')) return true;
  let called = false;
  replaceCommands(app.root, async () => {
    called = true;
  });
  const ignore = { write: () => true };
  const context = { process: { stdout: ignore, stderr: ignore, env: {} } } as unknown as CommandContext;
  await run(app, setPromptAside(words).argv, context);
  return called;
}

/** The words of a call that name no command or flag; arguments may be missing. */
async function unknownIn(words: string[]): Promise<string[]> {
  let target = app.root as unknown as Target;
  // `help COMMAND` is `COMMAND --help`.
  const rest = words[0] === 'help' ? words.slice(1).filter((word) => word !== 'COMMAND') : [...words];
  while (target.getAllEntries !== undefined && rest.length > 0) {
    const found = target.getAllEntries().find(({ name }) => name.original === rest[0]);
    if (found === undefined) return [rest[0] ?? ''];
    target = found.target;
    rest.shift();
  }
  const end = rest.indexOf('--');
  const flags = rest.slice(0, end < 0 ? undefined : end).filter((word) => /^--?[a-z]/.test(word));
  const { flags: known = {}, aliases = {} } = target.parameters ?? {};
  const isKnown = (flag: string) =>
    flag.startsWith('--') ? Object.hasOwn(known, camel(flag.slice(2))) : Object.hasOwn(aliases, flag.slice(1));
  return flags.filter((flag) => flag !== '--help' && !isKnown(flag));
}

function camel(kebab: string): string {
  return kebab.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

interface Target {
  loader?: unknown;
  parameters?: { flags?: object; aliases?: object };
  getAllEntries?: () => readonly { name: { original: string }; target: Target }[];
}

/** Gives each command another function to run after its command line was parsed. */
function replaceCommands(target: unknown, func: () => Promise<void>): void {
  const { getAllEntries } = target as Target;
  if (getAllEntries === undefined) Object.assign(target as Target, { loader: async () => func });
  else for (const entry of getAllEntries()) replaceCommands(entry.target, func);
}
