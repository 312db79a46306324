import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadProject, nameFromFolder } from '../../../../lib/config/load/load-project.ts';
import { failure, hostFacts, load, makeProject } from '../project.ts';

const GIB = 1024 ** 3;

describe('defaults', () => {
  test('an empty file is one sandbox with the name of its folder', async () => {
    const dir = await makeProject({ 'My Shop/sandbox.toml': '' });
    const spec = await loadProject({ cwd: join(dir, 'My Shop'), host: hostFacts() });
    expect(spec).toEqual({
      name: 'my-shop',
      dir: join(dir, 'My Shop'),
      files: [join(dir, 'My Shop/sandbox.toml')],

      warnings: [],
      sandboxes: [
        {
          name: 'my-shop',
          image: { base: 'debian:trixie' },
          packages: { apt: [], npm: [], pip: [], setup: [] },
          workspace: { path: join(dir, 'My Shop'), mode: 'mount', hide: [], readonly: [], unprotect: [] },
          mounts: [],
          network: { mode: 'enforce', allow: [], deny: [], http: [] },
          credentials: [],
          resources: { cpus: 2, memoryBytes: 2 * GIB, diskBytes: 20 * GIB },
          env: {},
          lifecycle: { restart: 'on-failure', idleSeconds: 0, pool: 0 },
          agent: { name: undefined, command: [], headless: [], mcpFile: undefined, mcpFormat: undefined },
          sources: {},
        },
      ],
    });
  });

  test.each([
    [{ id: 'ubuntu', codename: 'noble' }, 'ubuntu:noble'],
    [{ id: 'fedora', codename: '' }, 'debian:bookworm'],
    [{ id: 'debian', codename: '' }, 'debian:bookworm'],
  ])('the base of a host that is %o', async (os, base) => {
    expect((await load('', hostFacts({ os }))).sandboxes[0]?.image.base).toBe(base);
  });

  test('on a host with one processor the default is one', async () => {
    expect((await load('', hostFacts({ cpus: 1 }))).sandboxes[0]?.resources.cpus).toBe(1);
  });

  test.each([
    ['/a/Shop', 'shop'],
    ['/a/-x_y.Z-', 'x-y-z'],
    ['/a/日本', 'project'],
    ['/', 'project'],
    [`/${'a'.repeat(39)}_b`, 'a'.repeat(39)],
    [`/_${'a'.repeat(50)}`, 'a'.repeat(40)],
  ])('%s is the project %s', (dir, name) => expect(nameFromFolder(dir)).toBe(name));
});

describe('values', () => {
  test('every supported field is in the spec', async () => {
    const dir = await makeProject({
      'sandbox.toml': `
        version = 1
        name = "shop"
        [image]
        base = "./root.tar"
        [packages]
        apt = ["ripgrep"]
        npm = ["typescript@5.9.3"]
        pip = ["ruff"]
        setup = ["corepack enable"]
        [workspace]
        path = "./code"
        hide = [".env", "*.pem"]
        readonly = ["./docs/"]
        unprotect = [".vscode/"]
        [[mounts]]
        host = "~/data"
        guest = "/data/"
        readonly = false
        [network]
        allow = ["API.github.com", "preset:npm"]
        deny = ["uploads.test:80-90"]
        [resources]
        cpus = 3
        memory = "1.5GiB"
        disk = "30 GiB"
        [env]
        A = "x"
        [lifecycle]
        restart = "always"
        idle = "0s"
        [agent]
        name = "me"
        command = ["a", "-i"]
        headless = ["a", "-p", "{prompt}"]
        args = ["--fast"]
        mcp_file = "~/.a.json"
        mcp_format = "json"
      `,
      'root.tar': '',
      'code/x': '',
      'home/data/x': '',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts({ home: join(dir, 'home') }) });
    const file = join(dir, 'sandbox.toml');
    expect(spec.sandboxes[0]).toMatchObject({
      name: 'shop',
      image: { base: join(dir, 'root.tar') },
      packages: { apt: ['ripgrep'], npm: ['typescript@5.9.3'], pip: ['ruff'], setup: ['corepack enable'] },
      workspace: { path: join(dir, 'code'), hide: ['.env', '*.pem'], readonly: ['docs'], unprotect: ['.vscode'] },
      mounts: [{ host: join(dir, 'home/data'), guest: '/data', readonly: false, source: { file, line: 16 } }],
      network: {
        allow: [
          { text: 'API.github.com', pattern: 'api.github.com', trusted: false, source: { file, line: 21, column: 18 } },
          { text: 'preset:npm', pattern: 'npm.test:443', trusted: true, source: { file, line: 21, column: 36 } },
          { text: 'preset:npm', pattern: 'scoped.test:8443', trusted: true },
        ],
        deny: [{ pattern: 'uploads.test:80-90', trusted: false }],
      },
      resources: { cpus: 3, memoryBytes: 1.5 * GIB, diskBytes: 30 * GIB },
      env: { A: 'x' },
      lifecycle: { restart: 'always', idleSeconds: 0, pool: 0 },
      agent: {
        name: 'me',
        command: ['a', '-i', '--fast'],
        headless: ['a', '-p', '--fast', '{prompt}'],
        mcpFile: '~/.a.json',
        mcpFormat: 'json',
      },
    });
  });

  test('a preset of the deny list is denied, never trusted', async () => {
    const spec = await load('[network]\ndeny = ["preset:apt"]');
    expect(spec.sandboxes[0]?.network.deny).toMatchObject([{ pattern: 'apt.test:80', trusted: false }]);
  });

  test('the registries of the host are read only for a preset', async () => {
    const registries = async () => Promise.reject(new Error('asked'));
    expect((await load('[network]\nallow = ["a.test"]', hostFacts({ registries }))).sandboxes).toHaveLength(1);
  });

  test.each([
    ['the home folder', (dir: string) => ({ home: dir }), /home folder/],
    ['a folder that holds the home folder', (dir: string) => ({ home: join(dir, 'h') }), /home folder/],
    ['a folder that holds the state of sbx', (dir: string) => ({ stateDir: join(dir, 's') }), /state folder/],
  ])('%s is no workspace', async (_, facts, why) => {
    const dir = await makeProject({ 'sandbox.toml': '', 'h/x': '', 's/x': '' });
    expect((await failure(loadProject({ cwd: dir, host: hostFacts(facts(dir)) }))).why).toMatch(why);
  });

  test('a link to the home folder cannot be a workspace', async () => {
    const dir = await makeProject({ 'p/sandbox.toml': '[workspace]\npath = "link"', 'h/x': '' });
    symlinkSync(join(dir, 'h'), join(dir, 'p/link'));
    const error = await failure(loadProject({ cwd: join(dir, 'p'), host: hostFacts({ home: join(dir, 'h') }) }));
    expect(error).toMatchObject({ why: expect.stringMatching(/home folder/), place: { line: 2, column: 8 } });
  });
});

describe('bandwidth', () => {
  test('is bytes per second, or no limit', async () => {
    expect((await load('[network]\nbandwidth = "10MiB"')).sandboxes[0]?.network.bandwidth).toBe(10 * 1024 ** 2);
    expect((await load('[network]\n')).sandboxes[0]?.network).not.toHaveProperty('bandwidth');
  });

  test('below the minimum it is rejected with its place', async () => {
    const error = await failure(load('[network]\nbandwidth = "1KiB"'));
    expect(error).toMatchObject({ code: 'config-invalid', place: { line: 2, column: 13 } });
  });
});
