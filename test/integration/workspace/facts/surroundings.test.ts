/** The work tree around a project in a subfolder: git inside sees what `lstat` says, and nothing else is shown or changed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Host, makeHost } from '../policy/host.ts';
import { GuestError, Rig, ROOT } from '../server/rig.ts';
import { Attacker, type Served, serveFolder } from './guest.ts';

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
