/** What modes deny, through a real server in its jail: root inside passes them as on a disk, and nobody else does. */
import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { name, OP, pack, readDirents, u32, u64 } from '../server/wire.ts';
import { ENOENT, EROFS, FakeVm } from './fake-vm.ts';
import { Host, rules } from './host.ts';

const ROOT = 1;
const EACCES = 13;
const RDWR = 2;
const USER = { uid: 1000, gid: 1000 };
const ROOT_USER = { uid: 0, gid: 0 };

let host: Host;
let vm: FakeVm;
let path: string;
const at = (below: string) => join(path, below);

beforeEach(async () => {
  host = new Host();
  const folder = host.folder('project');
  path = folder.path;
  mkdirSync(at('d'));
  writeFileSync(at('d/f'), 'in a folder');
  const { link } = await host.client().attach(host.guest('a'), [folder]);
  vm = await FakeVm.boot(link);
  await vm.mount();
});
afterEach(async () => {
  chmodSync(at('d'), 0o700);
  await vm[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

async function list(node: number): Promise<string[] | number> {
  const request = pack(u64(0), u64(0), u32(4096), u32(0), u64(0), u32(0), u32(0));
  const listed = await vm.ask(OP.READDIR, node, request);
  if (listed.errno !== 0) return listed.errno;
  const entries = readDirents(listed.body, false);
  return entries.map((entry) => entry.name.toString()).filter((entry) => !entry.startsWith('.'));
}

async function write(node: number, handle: bigint, text: string): Promise<number> {
  const data = Buffer.from(text);
  const request = pack(u64(handle), u64(0), u32(data.length), u32(0), u64(0), u32(0), u32(0), data);
  return (await vm.ask(OP.WRITE, node, request)).errno;
}

describe('a folder that may be read but not searched', () => {
  test('is listed, and nothing in it is reached', async () => {
    chmodSync(at('d'), 0o600);
    const { node } = await vm.entry(ROOT, 'd');
    expect(await list(node)).toEqual(['f']);
    expect(await vm.lookup(node, 'f')).toBe(EACCES);
    chmodSync(at('d'), 0o300);
    expect(await list(node)).toBe(EACCES);
  });
});

describe('what denies its owner everything', () => {
  test('is opened, read and written by root inside, and its mode stays as it is', async () => {
    chmodSync(at('file'), 0);
    const before = lstatSync(at('file'), { bigint: true });
    const { node } = await vm.entry(ROOT, 'file');
    vm.user = ROOT_USER;
    const { errno, handle } = await vm.open(node, RDWR);
    expect(errno).toBe(0);
    expect((await vm.read(node, handle)).text).toBe("project's content");
    const opened = lstatSync(at('file'), { bigint: true });
    // The change time: no other mode was there in between.
    expect([opened.mode, opened.ctimeNs]).toEqual([before.mode, before.ctimeNs]);
    expect(await write(node, handle, 'R')).toBe(0);
    chmodSync(at('file'), 0o600);
    expect(readFileSync(at('file'), 'utf8')).toBe("Rroject's content");
  });

  test('is a folder to list, to look into, and to make and remove things in', async () => {
    chmodSync(at('d'), 0);
    const { node } = await vm.entry(ROOT, 'd');
    vm.user = ROOT_USER;
    expect(await list(node)).toEqual(['f']);
    expect(await vm.lookup(node, 'f')).toBe(0);
    expect(await vm.create(node, 'made')).toBe(0);
    expect((await vm.ask(OP.UNLINK, node, name('f'))).errno).toBe(0);
    expect(lstatSync(at('d')).mode & 0o777).toBe(0);
    chmodSync(at('d'), 0o700);
    expect(readdirSync(at('d'))).toEqual(['made']);
  });

  test('stays closed for every other user inside, also after root was there', async () => {
    chmodSync(at('file'), 0);
    chmodSync(at('d'), 0);
    const [file, folder] = [await vm.entry(ROOT, 'file'), await vm.entry(ROOT, 'd')];
    const tries = async () => [
      (await vm.open(file.node)).errno,
      (await vm.open(file.node, RDWR)).errno,
      await list(folder.node),
      await vm.lookup(folder.node, 'f'),
      await vm.create(folder.node, 'made'),
    ];
    expect(await tries()).toEqual(Array(5).fill(EACCES));
    vm.user = ROOT_USER;
    expect((await vm.open(file.node)).errno).toBe(0);
    vm.user = USER;
    expect(await tries()).toEqual(Array(5).fill(EACCES));
  });

  test('opens no way around a rule: a hidden name in it hides the file under each other name', async () => {
    writeFileSync(at('d/.env'), 'secret');
    linkSync(at('d/.env'), at('other'));
    mkdirSync(at('e'));
    writeFileSync(at('e/plain'), 'no secret');
    linkSync(at('e/plain'), at('twin'));
    chmodSync(at('d'), 0);
    chmodSync(at('e'), 0);
    const { link } = await host
      .client()
      .attach(host.guest('b'), [{ ...host.folder('project'), rules: rules({ hide: ['.env'] }) }]);
    await using other = await FakeVm.boot(link);
    await other.mount();
    for (const user of [USER, ROOT_USER]) {
      other.user = user;
      expect(await other.lookup(ROOT, 'other')).toBe(ENOENT);
      const { node } = await other.entry(ROOT, 'twin');
      const { handle } = await other.open(node);
      expect((await other.read(node, handle)).text).toBe('no secret');
    }
    const { node } = await other.entry(ROOT, 'd');
    expect(await other.lookup(node, '.env')).toBe(ENOENT);
    chmodSync(at('e'), 0o700);
  });

  test('and no way to a repository that is not recognized', async () => {
    const { link } = await host.client().attach(host.guest('b'), [{ ...host.folder('project'), rules: rules({}) }]);
    await using other = await FakeVm.boot(link);
    await other.mount();
    other.user = ROOT_USER;
    const make = async (folder: string, names: string[]) => {
      const { node } = await other.entry(ROOT, folder);
      const answers: number[] = [];
      for (const one of names)
        answers.push(
          one.endsWith('/')
            ? (await other.ask(OP.MKDIR, node, pack(u32(0o755), u32(0), name(one.slice(0, -1))))).errno
            : await other.create(node, one),
        );
      return answers;
    };
    for (const [index, names] of [
      ['objects/', 'refs/', 'HEAD', 'config', 'hooks/'],
      ['config', 'objects/', 'refs/', 'HEAD'],
      ['hooks/', 'HEAD', 'refs/', 'objects/', 'config'],
    ].entries()) {
      for (const [folder, mode] of [
        [`open${index}`, 0o755],
        [`closed${index}`, 0],
      ] as const) {
        mkdirSync(at(folder));
        chmodSync(at(folder), mode);
      }
      const answers = await make(`open${index}`, names);
      expect(await make(`closed${index}`, names)).toEqual(answers);
      chmodSync(at(`closed${index}`), 0o700);
      // What would make it one that the host's git uses stays in the private layer.
      expect(readdirSync(at(`open${index}`)).length).toBeLessThan(names.length);
      expect(readdirSync(at(`closed${index}`))).toEqual(readdirSync(at(`open${index}`)));
    }
  });

  test('opens no way into a read-only folder', async () => {
    const { link } = await host.client().attach(host.guest('b'), [host.folder('kept', { readonly: true })]);
    await using other = await FakeVm.boot(link);
    await other.mount();
    other.user = ROOT_USER;
    const { node } = await other.entry(ROOT, 'file');
    expect((await other.open(node, RDWR)).errno).toBe(EROFS);
    expect(await other.create(ROOT, 'made')).toBe(EROFS);
  });
});
