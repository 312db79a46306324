import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { loadRemembered } from '../../../../lib/config/load/remembered.ts';
import type { HostFacts } from '../../../../lib/config/resolve/host-facts.ts';
import type { ProjectSpec } from '../../../../lib/spec/spec.ts';
import { failure, hostFacts, makeProject } from '../project.ts';

interface Ask {
  cwd: string;
  host?: HostFacts;
  build?: string;
  memory: string;
}

/** The spec, and whether the file had to be loaded for it. */
async function ask({ cwd, host = hostFacts(), build = 'one', memory }: Ask) {
  let loaded = 0;
  const load = (facts: HostFacts): Promise<ProjectSpec> => {
    loaded += 1;
    return loadProject({ cwd, host: facts });
  };
  const spec = await loadRemembered({ cwd, host, memory: { dir: memory, build }, load });
  return { spec, remembered: loaded === 0 };
}

/** A project that was asked for once. */
async function known(files: Record<string, string> = { 'sandbox.toml': 'version = 1\nagent = "claude"\n' }) {
  const cwd = await makeProject(files);
  const memory = join(await makeProject({}), 'specs');
  const first = await ask({ cwd, memory });
  expect(first.remembered).toBe(false);
  return { cwd, memory, first: first.spec };
}

describe('a project that is as it was', () => {
  test('is not loaded again, and is the same', async () => {
    const { cwd, memory, first } = await known();
    const again = await ask({ cwd, memory });
    expect(again.remembered).toBe(true);
    expect(again.spec).toEqual(JSON.parse(JSON.stringify(first)));
    expect(again.spec).toEqual(JSON.parse(JSON.stringify(await loadProject({ cwd, host: hostFacts() }))));
  });

  test('is remembered by presets, too, as long as the host names the same registries', async () => {
    const { cwd, memory } = await known({ 'sandbox.toml': 'version = 1\n[network]\nallow = ["preset:npm"]\n' });
    expect((await ask({ cwd, memory })).remembered).toBe(true);
    const { hosts } = await hostFacts().registries();
    const moved = {
      npm: 'https://new.test/',
      pip: undefined,
      hosts: { ...hosts, npm: [{ host: 'new.test', port: 443 }] },
    };
    const after = await ask({ cwd, memory, host: hostFacts({ registries: async () => moved }) });
    expect(after.remembered).toBe(false);
    expect(after.spec.sandboxes[0]?.network.allow.map(({ pattern }) => pattern)).toContain('new.test:443');
  });

  test('is the user’s own secret: nobody else may read what is remembered', async () => {
    const { memory } = await known();
    expect(statSync(memory).mode & 0o777).toBe(0o700);
    expect(readdirSync(memory).map((name) => statSync(join(memory, name)).mode & 0o777)).toEqual([0o600]);
  });
});

describe('a project is loaded again', () => {
  test('when a byte of its file is another, with the same size and time', async () => {
    const { cwd, memory } = await known({ 'sandbox.toml': 'version = 1\n[resources]\ncpus = 1\n' });
    const file = join(cwd, 'sandbox.toml');
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'version = 1\n[resources]\ncpus = 2\n');
    utimesSync(file, atime, mtime);
    const after = await ask({ cwd, memory });
    expect(after.spec.sandboxes[0]?.resources.cpus).toBe(2);
  });

  test('when its file is wrong now: with its error, as ever', async () => {
    const { cwd, memory } = await known();
    writeFileSync(join(cwd, 'sandbox.toml'), 'version = 1\nagnet = "claude"\n');
    expect(await failure(ask({ cwd, memory }))).toMatchObject({ code: 'config-invalid' });
  });

  test('when its file is a link now, which is refused', async () => {
    const { cwd, memory } = await known();
    renameSync(join(cwd, 'sandbox.toml'), join(cwd, 'other.toml'));
    symlinkSync('other.toml', join(cwd, 'sandbox.toml'));
    expect(await failure(ask({ cwd, memory }))).toMatchObject({ message: expect.stringContaining('symbolic link') });
  });

  test('when its file is gone', async () => {
    const { cwd, memory } = await known();
    renameSync(join(cwd, 'sandbox.toml'), join(cwd, 'away.toml'));
    expect(await failure(ask({ cwd, memory }))).toMatchObject({ code: 'config-not-found' });
  });

  test.each([
    ['the processors', { cpus: 1 }],
    ['the home folder', { home: '/home/somebody-else' }],
    ['the distribution', { os: { id: 'ubuntu', codename: 'noble' } }],
    ['the state folder', { stateDir: '/var/lib/elsewhere' }],
  ])('when it is about another host: %s', async (_what, change) => {
    const { cwd, memory } = await known();
    expect((await ask({ cwd, memory, host: hostFacts(change) })).remembered).toBe(false);
  });

  test('by a program of another build', async () => {
    const { cwd, memory } = await known();
    expect((await ask({ cwd, memory, build: 'two' })).remembered).toBe(false);
    expect((await ask({ cwd, memory, build: 'two' })).remembered).toBe(true);
  });

  test('when what was remembered is damaged', async () => {
    const { cwd, memory } = await known();
    const [name = ''] = readdirSync(memory);
    for (const text of ['', '{', 'null', '[]', '{"build":"one"}', '{"build":"one","spec":{}}']) {
      writeFileSync(join(memory, name), text);
      expect((await ask({ cwd, memory })).remembered, text).toBe(false);
    }
  });

  test('when another project took its place', async () => {
    const { cwd, memory } = await known();
    const moved = `${cwd}-moved`;
    renameSync(cwd, moved);
    onTestFinished(() => rmSync(moved, { recursive: true, force: true }));
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'sandbox.toml'), 'version = 1\nname = "another"\n');
    expect((await ask({ cwd, memory })).spec.name).toBe('another');
  });
});

describe('nothing is remembered', () => {
  test.each([
    [
      'a template of its own',
      { 'sandbox.toml': 'version = 1\nextends = ["./team.toml"]\n', 'team.toml': 'version = 1\n' },
    ],
    ['a workspace elsewhere', { 'sandbox.toml': 'version = 1\n[workspace]\npath = "./src"\n', 'src/x': '' }],
    ['a mount', { 'sandbox.toml': 'version = 1\n[[mounts]]\nhost = "./data"\nguest = "/data"\n', 'data/x': '' }],
    ['a base of its own', { 'sandbox.toml': 'version = 1\n[image]\nbase = "./root.tar"\n', 'root.tar': '' }],
  ])('of a file that names paths of the host: %s', async (_what, files) => {
    const { cwd, memory } = await known(files);
    expect((await ask({ cwd, memory })).remembered).toBe(false);
  });

  test('of a folder below: a nearer file may come', async () => {
    const { cwd, memory } = await known({ 'sandbox.toml': 'version = 1\n', 'sub/x': '' });
    const below = join(cwd, 'sub');
    expect((await ask({ cwd: below, memory })).remembered).toBe(false);
    expect((await ask({ cwd: below, memory })).remembered).toBe(false);
    writeFileSync(join(below, 'sandbox.toml'), 'version = 1\nname = "nearer"\n');
    expect((await ask({ cwd: below, memory })).spec.name).toBe('nearer');
  });
});

test('what is remembered does not grow for ever, and the newest stays', async () => {
  const { cwd, memory } = await known();
  const old = new Date(2020, 1, 1);
  for (let index = 0; index < 100; index += 1) {
    writeFileSync(join(memory, `old-${index}.json`), '{}');
    utimesSync(join(memory, `old-${index}.json`), old, old);
  }
  await ask({ cwd, memory, build: 'two' });
  expect(readdirSync(memory).length).toBeLessThanOrEqual(64);
  expect((await ask({ cwd, memory, build: 'two' })).remembered).toBe(true);
});
