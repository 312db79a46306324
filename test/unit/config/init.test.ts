import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { detectProject, renderInit } from '../../../lib/config/init.ts';
import { load, makeProject } from './project.ts';

test.each<[string, string[], object]>([
  ['nothing known', ['README.md'], { languages: [], apt: ['git', 'ripgrep'], npm: [], allow: [] }],
  ['npm', ['package.json', 'package-lock.json'], { languages: ['JavaScript (npm)'], npm: [], allow: ['preset:npm'] }],
  ['pnpm', ['package.json', 'pnpm-lock.yaml'], { languages: ['JavaScript (pnpm)'], npm: ['pnpm'] }],
  ['Yarn', ['package.json', 'yarn.lock'], { languages: ['JavaScript (Yarn)'], npm: ['yarn'] }],
  [
    'Python',
    ['pyproject.toml'],
    { languages: ['Python'], apt: ['git', 'ripgrep', 'python3', 'python3-pip', 'python3-venv'] },
  ],
  [
    'two languages',
    ['go.mod', 'Cargo.toml'],
    { languages: ['Go', 'Rust'], apt: ['git', 'ripgrep', 'golang', 'cargo', 'rustc'] },
  ],
  ['Bun', ['package.json', 'bun.lockb'], { languages: ['JavaScript (Bun)'], npm: ['bun'], allow: ['preset:npm'] }],
  ['Deno', ['deno.jsonc'], { languages: ['JavaScript (Deno)'], npm: ['deno'], allow: ['preset:npm'] }],
  ['a workspace of pnpm', ['package.json', 'pnpm-workspace.yaml'], { languages: ['JavaScript (pnpm)'], npm: ['pnpm'] }],
  [
    'Poetry',
    ['pyproject.toml', 'poetry.lock'],
    {
      languages: ['Python (Poetry)'],
      apt: ['git', 'ripgrep', 'python3', 'python3-pip', 'python3-venv', 'python3-poetry'],
    },
  ],
  ['Pipenv', ['Pipfile'], { languages: ['Python (Pipenv)'] }],
  ['uv', ['pyproject.toml', 'uv.lock'], { languages: ['Python'] }],
  ['Ruby', ['Gemfile'], { languages: ['Ruby'], apt: ['git', 'ripgrep', 'ruby', 'ruby-dev', 'bundler'] }],
  ['PHP', ['composer.json'], { languages: ['PHP (Composer)'] }],
  ['Gradle', ['build.gradle.kts', 'gradlew'], { languages: ['Java (Gradle)'] }],
  ['Elixir', ['mix.exs'], { languages: ['Elixir'], apt: ['git', 'ripgrep', 'elixir'] }],
  ['Haskell', ['app.cabal'], { languages: ['Haskell'] }],
  ['OCaml', ['dune-project'], { languages: ['OCaml'] }],
  ['Meson', ['meson.build', 'Makefile'], { languages: ['C and C++ (Meson)'] }],
  ['CMake', ['CMakeLists.txt'], { languages: ['C and C++ (CMake)'] }],
  ['Maven', ['pom.xml'], { languages: ['Java (Maven)'] }],
  [
    'secrets',
    ['.env', '.env.example', '.env.production', 'tls.key'],
    { secrets: ['.env', '.env.production', 'tls.key'] },
  ],
])('%s', async (_, files, expected) => {
  const dir = await makeProject(Object.fromEntries(files.map((name) => [name, ''])));
  const detected = await detectProject(dir);
  expect(detected).toMatchObject(expected);
  const spec = await load(renderInit(detected));
  expect(spec.sandboxes[0]?.packages).toMatchObject({ apt: detected.apt, npm: detected.npm });
});

test('file names may contain any character', async () => {
  const dir = await makeProject({ 'we"ird\\\n\u007f.key': '', '日本.pem': '', '*.key': '' });
  const detected = await detectProject(dir);
  const spec = await load(renderInit(detected));
  expect(spec.sandboxes[0]?.workspace.hide).toEqual(['.env', '.env.local', ...detected.secrets]);
});

test('no file is opened: a dangling link is ignored', async () => {
  const dir = await makeProject({});
  symlinkSync('/none', join(dir, 'package.json'));
  expect((await detectProject(dir)).languages).toEqual(['JavaScript (npm)']);
});

test('the requested agent is set, and the others are listed', async () => {
  const detected = await detectProject(await makeProject({}));
  const text = renderInit(detected, { agent: 'claude', known: ['claude', 'codex', 'shell'] });
  expect((await load(text)).sandboxes[0]?.agent.name).toBe('claude');
  expect(text).toContain('# Others: codex, shell.');
  expect(renderInit(detected)).not.toContain('Others');
});
