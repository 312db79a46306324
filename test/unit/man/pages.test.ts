/** The manual pages have what help has. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { describedCommands } from '../../../lib/cli/app.ts';
import { describeFile } from '../../../lib/config/schema/describe.ts';
import { pageName } from '../../../lib/man/command-page.ts';
import { renderCompletions, renderManual } from '../../../lib/man/generate.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8');
const manual = renderManual({
  version: '1.2.3',
  commands: read('docs/commands.md'),
  upgrade: read('docs/upgrade-and-uninstall.md'),
  example: 'version = 1\n',
});
/** The text of a page as it is typed: without fonts and escapes */
const page = (name: string) =>
  (manual[name] ?? '')
    .replaceAll(/\\f[BIR]/g, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\(dq', '"');

test('every command has a page, and sbx(1) names each', () => {
  const names = [...describedCommands().keys()].map(pageName);
  expect(names.length).toBeGreaterThan(30);
  expect(Object.keys(manual).toSorted()).toEqual(
    ['sandbox.toml.5', 'sbx.1', ...names.map((name) => `${name}.1`)].toSorted(),
  );
  for (const name of names) expect(page('sbx.1')).toContain(`${name}(1)`);
});

test.each([...describedCommands()])(
  'the page of sbx %s has its flags, arguments, usage and examples',
  (words, command) => {
    const text = page(`${pageName(words)}.1`);
    const { flags, aliases } = command.parameters as {
      flags: Record<string, unknown>;
      aliases?: Record<string, string>;
    };
    for (const name of Object.keys(flags))
      expect(text).toContain(`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
    for (const letter of Object.keys(aliases ?? {})) expect(text).toContain(`\n-${letter}, --`);
    for (const line of command.examples) expect(text).toContain(`\n${line}\n`);
    expect(text).toContain(`\n.SH SYNOPSIS\nsbx ${words} [OPTIONS]`);
  },
);

test('sandbox.toml(5) has every table and key', () => {
  const { top, tables } = describeFile();
  const text = page('sandbox.toml.5');
  for (const { key } of [...top, ...tables.flatMap(({ rows }) => rows)]) expect(text).toContain(`.TP\n${key} (`);
  for (const { heading } of tables) expect(text).toContain(`.SS ${heading}`);
});

test('sbx(1) has the exit codes, variables and files of the docs', () => {
  for (const text of ['.TP\n130\n', '.TP\nSBX_HOME\n', '.TP\nstore/\n']) expect(page('sbx.1')).toContain(text);
});

describe('the package', () => {
  test('installs the pages that there are', () => {
    const { man } = JSON.parse(read('package.json')) as { man: string[] };
    expect(man.toSorted()).toEqual(
      readdirSync(`${root}/man`)
        .map((name) => `man/${name}`)
        .toSorted(),
    );
  });

  test('has a completion script for each shell', () => {
    expect(Object.keys(renderCompletions()).toSorted()).toEqual(['_sbx', 'sbx.bash', 'sbx.fish']);
  });
});
