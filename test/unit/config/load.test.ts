import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findFile } from '../../../lib/config/find.ts';
import { loadProject, nameFromFolder, shortPath } from '../../../lib/config/load.ts';
import { templatesDir } from '../../../lib/config/templates-dir.ts';
import { failure, hostFacts, load, makeProject } from './project.ts';

const GIB = 1024 ** 3;

describe('defaults', () => {
  test('an empty file is one sandbox, named as its folder', async () => {
    const dir = await makeProject({ 'My Shop/sandbox.toml': '' });
    const spec = await loadProject({ cwd: join(dir, 'My Shop'), host: hostFacts() });
    expect(spec).toEqual({
      name: 'my-shop',
      dir: join(dir, 'My Shop'),
      files: [join(dir, 'My Shop/sandbox.toml')],
      unsupported: [],
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

  test('a host of one processor gives one', async () => {
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

describe('finding', () => {
  test('the nearest file above counts, and its folder by its real path', async () => {
    const dir = await makeProject({ 'real/sandbox.toml': 'name = "outer"', 'real/a/b/x': '' });
    symlinkSync(join(dir, 'real'), join(dir, 'link'));
    const spec = await loadProject({ cwd: join(dir, 'link/a/b'), host: hostFacts() });
    expect(spec).toMatchObject({ name: 'outer', dir: join(dir, 'real') });
  });

  test('another file can be named', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'name = "a"', 'other.toml': 'name = "b"' });
    expect(await loadProject({ cwd: dir, file: 'other.toml', host: hostFacts() })).toMatchObject({ name: 'b', dir });
  });

  test('no file: an error that says what to do', async () => {
    const dir = await makeProject({});
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error).toMatchObject({ code: 'config-not-found', hint: expect.stringContaining('sbx init') });
  });

  test('a file of another user is refused above the working directory, not in it', async () => {
    const dir = await makeProject({ 'sandbox.toml': '', 'sub/x': '' });
    const others = [12_345];
    expect(await findFile(dir, others)).toBe(join(dir, 'sandbox.toml'));
    expect(await findFile(join(dir, 'sub'))).toBe(join(dir, 'sandbox.toml'));
    expect(await failure(findFile(join(dir, 'sub'), others))).toMatchObject({
      message: expect.stringMatching(/another user/),
      place: { file: join(dir, 'sandbox.toml') },
    });
  });

  test('the working directory stays what it was', async () => {
    const before = process.cwd();
    await findFile(await makeProject({ 'sandbox.toml': '' }));
    expect(process.cwd()).toBe(before);
  });
});

describe('values', () => {
  test('every supported field arrives', async () => {
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
    expect(spec.unsupported).toEqual([]);
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

  test('the host’s registries are asked only when a preset needs them', async () => {
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

  test('a link to the home folder is no workspace either', async () => {
    const dir = await makeProject({ 'p/sandbox.toml': '[workspace]\npath = "link"', 'h/x': '' });
    symlinkSync(join(dir, 'h'), join(dir, 'p/link'));
    const error = await failure(loadProject({ cwd: join(dir, 'p'), host: hostFacts({ home: join(dir, 'h') }) }));
    expect(error).toMatchObject({ why: expect.stringMatching(/home folder/), place: { line: 2, column: 8 } });
  });
});

describe('what is still to come', () => {
  test.each([
    ['docker.enabled', '[docker]\nenabled = true', 2, 11],
    ['ports', '[[ports]]\nguest = 3000', 1, 3],
    ['services', '[[services]]\nname = "db"\nhost = "127.0.0.1:5432"', 1, 3],
    ['mcp.servers', '[mcp.servers.github]\ncommand = ["x"]', 1, 6],
    ['workspace.mode', '[workspace]\nmode = "clone"', 2, 8],
    ['lifecycle.pool', '[lifecycle]\npool = 1', 2, 8],
    ['lifecycle.idle', '[lifecycle]\nidle = "2h"', 2, 8],
    ['image.base', '[image]\nbase = "oci:registry.test/a:1"', 2, 8],
  ])('%s is told with its place', async (path, text, line, column) => {
    const { unsupported } = await load(text);
    expect(unsupported).toEqual([{ path, source: { file: expect.any(String), line, column } }]);
  });

  test('what says the default is supported', async () => {
    const { unsupported } = await load(
      '[docker]\nenabled = false\n[workspace]\nmode = "mount"\n[network]\nmode = "enforce"\nhttp = []\n[lifecycle]\nidle = "0"\npool = 0\n[mcp.servers]',
    );
    expect(unsupported).toEqual([]);
  });

  test('it is told once, however many sandboxes share it', async () => {
    expect((await load('[docker]\nenabled = true\n[sandboxes.a]\ncount = 3\n[sandboxes.b]')).unsupported).toHaveLength(
      1,
    );
  });
});

describe('sandboxes', () => {
  test('names: the key, numbered when counted', async () => {
    const spec = await load('name = "shop"\n[sandboxes.dev]\n[sandboxes.review]\ncount = 2');
    expect(spec.name).toBe('shop');
    expect(spec.sandboxes.map(({ name }) => name)).toEqual(['dev', 'review-1', 'review-2']);
  });

  test('each overrides the fields of the project, with its own places', async () => {
    const spec = await load(
      '[resources]\ncpus = 1\nmemory = "4GiB"\n[network]\nallow = ["a.test"]\n[sandboxes.x.resources]\ncpus = 4\n[sandboxes.x.network]\nallow = ["b.test"]\n[sandboxes.y]',
    );
    const [x, y] = spec.sandboxes;
    expect(x?.resources).toMatchObject({ cpus: 4, memoryBytes: 4 * GIB });
    expect(x?.sources['resources.cpus']).toMatchObject({ line: 7 });
    expect(x?.sources['resources.memory']).toMatchObject({ line: 3 });
    expect(x?.network.allow.map(({ text }) => text)).toEqual(['a.test', 'b.test']);
    expect(x?.sources['network.allow[1]']).toMatchObject({ line: 9, column: 10 });
    expect(y?.resources.cpus).toBe(1);
    expect(y?.network.allow).toHaveLength(1);
  });

  test('one with an agent of its own keeps nothing of the project’s agent', async () => {
    const dir = await makeProject({
      'sandbox.toml':
        'extends = ["./base.toml"]\nagent = "shell"\n[sandboxes.a]\n[sandboxes.b.agent]\ncommand = ["b"]\n[sandboxes.c]\nextends = ["./c.toml"]',
      'base.toml': '[env]\nBASE = "1"',
      'c.toml': '[env]\nC = "1"',
    });
    const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
    expect(sandboxes.map(({ agent }) => agent.name)).toEqual(['shell', undefined, 'shell']);
    expect(sandboxes[1]?.agent.command).toEqual(['b']);
    expect(sandboxes[2]?.env).toEqual({ BASE: '1', C: '1' });
  });
});

describe('templates', () => {
  test('an agent by name: its commands come from its template, its name from the project', async () => {
    const spec = await load('agent = "shell"');
    expect(spec.files[1]).toBe(join(templatesDir(), 'shell.toml'));
    expect(spec.sandboxes[0]?.agent).toMatchObject({ name: 'shell', headless: ['/bin/bash', '-lc', '{prompt}'] });
    expect(spec.sandboxes[0]?.sources).toMatchObject({
      'agent.name': { file: spec.files[0], line: 1, column: 9 },
      'agent.command': { file: spec.files[1] },
    });
  });

  test('later ones override earlier ones, the project overrides all; every entry keeps its place', async () => {
    const dir = await makeProject({
      'sandbox.toml':
        'extends = ["./a.toml", "./b.toml"]\n[env]\nOWN = "project"\n[packages]\napt = ["jq", "curl"]\nnpm = ["typescript@5.9.3"]',
      'a.toml':
        '[env]\nOWN = "a"\nONE = "a"\nTWO = "a"\n[packages]\napt = ["curl", "wget"]\nnpm = ["typescript@5.0.0", "@a/b@1"]\n[workspace]\nhide = [".env"]',
      'b.toml': '[env]\nTWO = "b"\n[workspace]\nhide = ["*.pem", ".env"]\n[lifecycle]\nrestart = "never"',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    const [sandbox] = spec.sandboxes;
    const at = (path: string) => {
      const source = sandbox?.sources[path];
      return source === undefined || source === 'default' ? source : `${shortPath(source.file, dir)}:${source.line}`;
    };
    expect(spec.files.map((file) => shortPath(file, dir))).toEqual(['sandbox.toml', 'a.toml', 'b.toml']);
    expect(sandbox?.env).toEqual({ OWN: 'project', ONE: 'a', TWO: 'b' });
    expect([at('env.OWN'), at('env.ONE'), at('env.TWO')]).toEqual(['sandbox.toml:3', 'a.toml:3', 'b.toml:2']);
    expect(sandbox?.packages.apt).toEqual(['curl', 'wget', 'jq']);
    expect([at('packages.apt[0]'), at('packages.apt[2]')]).toEqual(['a.toml:6', 'sandbox.toml:5']);
    expect(sandbox?.packages.npm).toEqual(['@a/b@1', 'typescript@5.9.3']);
    expect(sandbox?.workspace.hide).toEqual(['.env', '*.pem']);
    expect(at('lifecycle.restart')).toBe('b.toml:6');
    expect(at('lifecycle.idle')).toBeUndefined();
  });

  test('paths in a template are meant from its own folder', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./team/node.toml"]',
      'team/node.toml': 'extends = ["./deeper/x.toml"]\n[image]\nbase = "./root.tar"',
      'team/deeper/x.toml': '[[mounts]]\nhost = "../data"\nguest = "/data"',
      'team/data/x': '',
      'team/root.tar': '',
    });
    const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
    expect(sandboxes[0]).toMatchObject({
      image: { base: join(dir, 'team/root.tar') },
      mounts: [{ host: join(dir, 'team/data') }],
      workspace: { path: dir },
    });
  });

  test('a circle is told as the way around', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./a.toml"]',
      'a.toml': 'extends = ["./b.toml"]',
      'b.toml': '# here\nextends = ["./a.toml"]',
    });
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error.why).toBe('a.toml → b.toml → a.toml');
    expect(error.place).toEqual({ file: join(dir, 'b.toml'), line: 2, column: 12 });
  });

  test('a circle through a link is seen', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'extends = ["./a.toml"]', 'a.toml': 'extends = ["./link.toml"]' });
    symlinkSync(join(dir, 'a.toml'), join(dir, 'link.toml'));
    expect((await failure(loadProject({ cwd: dir, host: hostFacts() }))).message).toMatch(/circle/);
  });

  test('two ways to one template are no circle', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./a.toml", "./b.toml"]',
      'a.toml': 'extends = ["./c.toml"]',
      'b.toml': 'extends = ["./c.toml"]',
      'c.toml': '[packages]\nsetup = ["true"]',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    expect(spec.sandboxes[0]?.packages.setup).toEqual(['true']);
  });

  test('a mistake in a template is told at its place', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'extends = ["./a.toml"]', 'a.toml': '\n[resources]\ncpus = "x"' });
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error.place).toEqual({ file: join(dir, 'a.toml'), line: 3, column: 8 });
  });

  test('a template’s name and sandboxes stay its own', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'name = "own"\nextends = ["./a.toml"]',
      'a.toml': 'name = "other"\n[sandboxes.x]\ncount = 3',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    expect(spec.sandboxes.map(({ name }) => name)).toEqual(['own']);
  });
});

describe('bandwidth', () => {
  test('is bytes a second, or no limit', async () => {
    expect((await load('[network]\nbandwidth = "10MiB"')).sandboxes[0]?.network.bandwidth).toBe(10 * 1024 ** 2);
    expect((await load('[network]\n')).sandboxes[0]?.network).not.toHaveProperty('bandwidth');
  });

  test('that could carry nothing is refused with its place', async () => {
    const error = await failure(load('[network]\nbandwidth = "1KiB"'));
    expect(error).toMatchObject({ code: 'config-invalid', place: { line: 2, column: 13 } });
  });
});
