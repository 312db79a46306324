/** The work tree around a project in a subfolder: git inside sees what `lstat` says, and nothing else is shown or changed. */
import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { RootFacts } from '../../../../lib/workspace/facts/root-facts.ts';
import { compileWorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { projectPolicy, type RootPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import { openVolume } from '../../../../lib/workspace/server/tables/volume.ts';
import { HostWatches } from '../../../../lib/workspace/watch/host-watches.ts';
import { type Host, makeHost } from '../policy/host.ts';
import { GuestError, Rig, ROOT } from '../server/rig.ts';
import { Attacker, type Served, serveFolder } from './guest.ts';

const [INVAL_INODE, INVAL_ENTRY] = [2, 3] as const;
const PROJECT = 'packages/shop';
const RULES = { around: ['.git', PROJECT], readonly: [{ text: '/**', source: 'default' as const }] };

function makeRepository({ git, write }: Host): void {
  git('init', '-q', '-b', 'main');
  write('.gitignore', 'node_modules\n');
  for (const path of ['top', 'packages/other/secret', `${PROJECT}/.env`, `${PROJECT}/a`]) write(path, 'secret');
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
  git('init', '-q', 'packages/nested');
}

async function namesIn({ rig }: Served, path: string): Promise<string[]> {
  const { node } = path === '' ? { node: ROOT } : await rig.walk(path);
  const entries = await rig.readdir(node, await rig.opendir(node));
  return entries.map(({ name }) => name.toString()).filter((name) => !/^\.\.?$/.test(name));
}

const found = ({ rig }: Served, path: string) =>
  rig.walk(path).then(
    ({ node }) => node !== 0,
    (error: unknown) => {
      if (error instanceof GuestError) return false;
      throw error;
    },
  );

test('a file has its size and no content; names are found, not listed', async () => {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(host.path, RULES);
  const { node } = await served.rig.walk('packages/other/secret');
  expect(Number((await served.rig.getattr(node)).size)).toBe(6);
  const guest = new Attacker(served);
  for (const path of ['top', 'packages/other/secret']) expect(await guest.read(path), path).toBeUndefined();
  expect(await namesIn(served, '')).toEqual(expect.arrayContaining(['.git', 'packages']));
  expect(await namesIn(served, '')).toHaveLength(2);
  expect(await namesIn(served, 'packages')).toEqual(['shop']);
  expect(await namesIn(served, 'packages/other')).toEqual([]);
  expect(await guest.read('.gitignore')).toBe('node_modules\n');
});

test('the project, the git folder and other repositories are not reached through it', async () => {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(host.path, RULES);
  for (const path of [PROJECT, '.git', 'packages/nested']) expect(await found(served, path), path).toBe(true);
  for (const path of [`${PROJECT}/.env`, `${PROJECT}/a`, '.git/config', 'packages/nested/.git'])
    expect(await found(served, path), path).toBe(false);
});

test('nothing is changed in it, and the host’s git runs nothing of the sandbox', async () => {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(host.path, RULES);
  const guest = new Attacker(served);
  const config = `[core]\n\tfsmonitor = ${host.canary}\n`;
  for (const path of ['.git/config', '.gitattributes', 'new', 'top', 'packages/nested/.git/config'])
    await guest.write(path, config);
  await guest.rename('top', 'moved');
  await guest.link('link', '/etc/passwd');
  for (const folder of ['', 'packages/nested']) host.gitIn(folder, 'status');
  expect(host.hasRun()).toBe(false);
  expect(readFileSync(join(host.path, 'top'), 'utf8')).toBe('secret');
  for (const path of ['new', 'moved', 'link', '.gitattributes']) expect(existsSync(join(host.path, path))).toBe(false);
});

test('a pattern of hidden names does not hide the way to the project, and hides beside it', async () => {
  using host = makeHost();
  makeRepository(host);
  host.write('shop', 'a file of this name');
  const hide = ['packages/', 'shop', 'top'].map((text) => ({ text, source: 'default' as const }));
  await using served = await serveFolder(host.path, { ...RULES, hide });
  expect(await found(served, PROJECT)).toBe(true);
  for (const path of ['shop', 'top']) expect(await found(served, path), path).toBe(false);
});

test('without the rule the content is read', async () => {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(host.path, { ...RULES, without: ['around'] });
  expect(await new Attacker(served).read('packages/other/secret')).toBe('secret');
  expect(await found(served, `${PROJECT}/.env`)).toBe(true);
});

test('reaching the project through it does not end the wait for the walk of the project', async () => {
  using host = makeHost();
  makeRepository(host);
  const roots = [
    { name: 'ws', path: join(host.path, PROJECT) },
    { name: 'tree', path: host.path },
  ];
  const asked: string[] = [];
  const walked = (root: string) => void asked.push(root);
  await using rig = await Rig.mount('', { roots, names: { pending: () => undefined, linked: () => {}, walked } });
  const { node } = await rig.walk('ws');
  expect((await rig.walk(`tree/${PROJECT}`)).node).toBe(node);
  await rig.create(node, 'new');
  expect(asked).toEqual(['ws']);
});

describe('a file of the project that has a name around it, too', () => {
  /** The project and the tree around it, as a workspace server serves them. @param without rules that are off */
  async function serve(host: Host, { isAsked = true } = {}) {
    const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
    const hide = [{ text: '.env', source: 'default' as const }];
    const roots = [
      { name: 'ws', path: join(host.path, PROJECT) },
      { name: 'tree', path: host.path },
    ];
    const volume = openVolume(roots);
    const fold = foldOf({});
    const project = compileWorkspacePolicy({ ...lists, hide, fold });
    const tree = compileWorkspacePolicy({ ...lists, ...RULES, fold });
    const [ws] = volume.roots;
    const facts = new RootFacts({ fd: ws?.fd ?? -1, hostPath: join(host.path, PROJECT), policy: project, named: [] });
    const asked = { ...facts, factsFor: facts.factsFor.bind(facts), linked: () => {}, walked: () => undefined };
    const known = isAsked ? facts : { ...asked, aliasOf: () => undefined, pending: () => undefined };
    const policies = new Map<string, RootPolicy>([
      ['ws', { policy: project, facts: known }],
      ['tree', { policy: tree }],
    ]);
    const rig = await Rig.mount('', { roots, ...projectPolicy(volume, (name) => policies.get(name)) });
    return {
      rig,
      [Symbol.asyncDispose]: async () => {
        await rig[Symbol.asyncDispose]();
        facts[Symbol.dispose]();
        volume[Symbol.dispose]();
      },
    };
  }

  async function read(rig: Rig, path: string): Promise<string> {
    try {
      const { node } = await rig.walk(path);
      return (await rig.read(node, await rig.open(node))).toString();
    } catch (error) {
      if (error instanceof GuestError) return `errno ${error.errno}`;
      throw error;
    }
  }

  /** `.gitignore` is read around the project */
  function linkAround(host: Host, from: string): void {
    rmSync(join(host.path, '.gitignore'));
    linkSync(join(host.path, PROJECT, from), join(host.path, '.gitignore'));
  }

  test('is hidden there if the project hides it', async () => {
    using host = makeHost();
    makeRepository(host);
    linkAround(host, '.env');
    await using served = await serve(host);
    expect(await read(served.rig, 'tree/.gitignore')).toMatch(/^errno/);
  });

  test('is read there if the names of the project are not asked for', async () => {
    using host = makeHost();
    makeRepository(host);
    linkAround(host, '.env');
    await using served = await serve(host, { isAsked: false });
    expect(await read(served.rig, 'tree/.gitignore')).toBe('secret');
  });

  test('is not changed through that name, and no file around gets a name in the project', async () => {
    using host = makeHost();
    makeRepository(host);
    linkAround(host, 'a');
    await using served = await serve(host);
    const { rig } = served;
    const [file, project] = [await rig.walk('tree/.gitignore'), await rig.walk('ws')];
    await expect(rig.open(file.node, 1)).rejects.toThrow(GuestError);
    const { node } = await rig.walk('tree/packages/other/secret');
    await expect(rig.link(node, project.node, 'mine')).rejects.toThrow(GuestError);
    const other = await rig.walk('tree/packages/other');
    await expect(rig.rename([other.node, 'secret'], [project.node, 'mine'])).rejects.toThrow(GuestError);
    expect(existsSync(join(host.path, PROJECT, 'mine'))).toBe(false);
    expect(readFileSync(join(host.path, 'packages/other/secret'), 'utf8')).toBe('secret');
  });
});

test('what the host changes around the project is not kept by the guest: git inside sees it', async () => {
  using host = makeHost();
  makeRepository(host);
  using watches = new HostWatches();
  const roots = [
    { name: 'ws', path: join(host.path, PROJECT) },
    { name: 'tree', path: host.path },
  ];
  const volume = openVolume(roots);
  using _ = volume;
  const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  const [project, tree] = [{}, RULES].map((rules) => ({
    policy: compileWorkspacePolicy({ ...lists, ...rules, fold: foldOf({}) }),
  }));
  const policy = projectPolicy(volume, (name) => (name === 'tree' ? tree : project));
  await using rig = await Rig.mount('', { roots, ...policy, coherence: { watches } });
  const { node } = await rig.walk('tree/packages/other/secret');
  const { node: folder } = await rig.walk('tree/packages/other');
  await rig.lookup(folder, 'missing').catch(() => {});
  const told = (code: number, id: number) =>
    rig.notifications.some((one) => one.code === code && one.body.readBigUInt64LE(0) === BigInt(id));
  host.write('packages/other/secret', 'a longer secret');
  await vi.waitFor(() => expect(told(INVAL_INODE, node)).toBe(true), 10_000);
  expect(Number((await rig.getattr(node)).size)).toBe(15);
  host.write('packages/other/missing', 'new');
  rmSync(join(host.path, 'packages/other/secret'));
  await vi.waitFor(() => expect(told(INVAL_ENTRY, folder)).toBe(true), 10_000);
  expect((await rig.lookup(folder, 'missing')).node).toBeGreaterThan(0);
  await expect(
    rig.walk('tree/packages/other/secret').then(({ node: id }) => id || Promise.reject(new GuestError(2))),
  ).rejects.toThrow(GuestError);
});
