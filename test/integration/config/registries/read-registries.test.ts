/** The host's own tools are replaced by scripts that record their arguments. */
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readRegistries } from '../../../../lib/config/registries/read-registries.ts';

async function hostWith(files: Record<string, string>, tools: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-presets-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const all = { ...files, ...Object.fromEntries(Object.entries(tools).map(([name, body]) => [`bin/${name}`, body])) };
  for (const [name, content] of Object.entries(all)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content, { mode: 0o755 });
  }
  await mkdir(join(dir, 'bin'), { recursive: true });
  const env = {
    HOME: dir,
    PATH: `${join(dir, 'bin')}:/usr/bin:/bin`,
    NPM_CONFIG_GLOBALCONFIG: join(dir, 'globalrc'),
    PIP_CONFIG_FILE: join(dir, 'pip.conf'),
  };
  return { dir, env, cache: join(dir, 'state/probes/registries.json'), asked: () => lines(join(dir, 'asked')) };
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

const NPM = '#!/bin/sh\necho "npm $PWD $*" >> "$HOME/asked"\necho https://default.test/\n';
const APT =
  '#!/bin/sh\necho "apt $PWD" >> "$HOME/asked"\necho http://user:secret@mirror.test/debian/\necho https://other.test:8443/x/\necho http://mirror.test/security/\necho cdrom:[Debian]/\n';

test('npm runs only if no file names a registry, and in the root folder', async () => {
  const host = await hostWith({}, { npm: NPM, 'apt-get': APT });
  const found = await readRegistries(host.cache, host.env);
  expect(found.hosts.npm).toEqual([{ host: 'default.test', port: 443 }]);
  expect(host.asked()).toContain('npm / config get registry');
});

test('files come first; credentials in URLs are removed', async () => {
  const host = await hostWith(
    {
      '.npmrc': 'registry=https://me:secret@npm.test:8080/x/\n@a:registry=http://scoped.test/\n',
      'pip.conf': '[global]\nindex-url = https://u:secret@pip.test/simple\n',
    },
    { npm: NPM, 'apt-get': APT },
  );
  const found = await readRegistries(host.cache, host.env);
  expect(found.hosts.npm).toEqual([
    { host: 'npm.test', port: 8080 },
    { host: 'scoped.test', port: 80 },
  ]);
  expect(found.hosts.apt).toEqual([
    { host: 'mirror.test', port: 80 },
    { host: 'other.test', port: 8443 },
  ]);
  expect(found.hosts.pip[0]).toEqual({ host: 'pip.test', port: 443 });
  expect(found.npm).toBe('https://npm.test:8080/x/');
  expect(host.asked()).toEqual(['apt /']);
  expect(readFileSync(host.cache, 'utf8')).not.toContain('secret');
  expect(statSync(host.cache).mode & 0o777).toBe(0o600);
});

test('the result is cached until a file or a variable changes', async () => {
  const host = await hostWith({ '.npmrc': 'registry=https://a.test/' }, { 'apt-get': APT });
  await readRegistries(host.cache, host.env);
  await readRegistries(host.cache, host.env);
  expect(host.asked()).toHaveLength(1);
  writeFileSync(join(host.dir, '.npmrc'), 'registry=https://b.test/');
  utimesSync(join(host.dir, '.npmrc'), 1, 1);
  expect((await readRegistries(host.cache, host.env)).hosts.npm[0]?.host).toBe('b.test');
  const changed = { ...host.env, PIP_INDEX_URL: 'https://c.test/simple' };
  expect((await readRegistries(host.cache, changed)).hosts.pip[0]?.host).toBe('c.test');
});

test.each(['', '{', 'null', '[]', '{"key": 1}'])('a damaged cache (%j) is written again', async (content) => {
  const host = await hostWith({ '.npmrc': 'registry=https://a.test/' }, { 'apt-get': APT });
  await mkdir(dirname(host.cache), { recursive: true });
  await writeFile(host.cache, content);
  expect((await readRegistries(host.cache, host.env)).hosts.npm[0]?.host).toBe('a.test');
  expect(JSON.parse(readFileSync(host.cache, 'utf8'))).toHaveProperty('value');
});

test('missing or failing tools give no host', async () => {
  const host = await hostWith({}, { npm: '#!/bin/sh\nexit 1\n', 'apt-get': '#!/bin/sh\nexit 100\n' });
  const found = await readRegistries(host.cache, host.env);
  expect(found.hosts).toMatchObject({ npm: [], apt: [] });
  expect(found.npm).toBeUndefined();
});

test('each tool: its files and variables, or else its public default', async () => {
  const tools = { npm: NPM, 'apt-get': APT };
  const bare = await hostWith({ globalrc: '' }, tools);
  const nothing = await readRegistries(bare.cache, { ...bare.env, M2_HOME: bare.dir });
  expect(nothing.hosts).toMatchObject({
    pip: [{ host: 'pypi.org' }, { host: 'files.pythonhosted.org' }],
    cargo: [{ host: 'index.crates.io' }, { host: 'static.crates.io' }],
    go: [{ host: 'proxy.golang.org' }, { host: 'sum.golang.org' }],
    maven: [{ host: 'repo.maven.apache.org' }],
    rubygems: [{ host: 'rubygems.org' }],
  });
  const files = {
    '.cargo/config.toml':
      '[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+https://u:secret@cargo.test/"\n',
    '.config/go/env': 'GOPROXY=https://go.test,direct\nGOSUMDB=off\n',
    '.m2/settings.xml': '<mirror><mirrorOf>central</mirrorOf><url>https://maven.test/</url></mirror>',
    '.gemrc': ':sources:\n- https://gems.test/\n',
    '.bundle/config': '---\nBUNDLE_MIRROR__HTTPS://GEMS__TEST/: "https://bundle.test"\n',
  };
  const host = await hostWith(files, tools);
  const env = { ...host.env, M2_HOME: host.dir, CARGO_REGISTRIES_OWN_INDEX: 'sparse+https://own.test/' };
  const found = await readRegistries(host.cache, env);
  expect(found.hosts).toMatchObject({
    cargo: [
      { host: 'cargo.test', port: 443 },
      { host: 'own.test', port: 443 },
    ],
    go: [{ host: 'go.test', port: 443 }],
    maven: [{ host: 'maven.test', port: 443 }],
    rubygems: [{ host: 'bundle.test', port: 443 }],
  });
  expect(readFileSync(host.cache, 'utf8')).not.toContain('secret');
  writeFileSync(join(host.dir, '.gemrc'), ':sources:\n- https://others.test/\n');
  expect((await readRegistries(host.cache, env)).hosts.rubygems).toContainEqual({ host: 'others.test', port: 443 });
});
