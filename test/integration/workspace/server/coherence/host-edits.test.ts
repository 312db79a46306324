/** Changes of the host where the guest sees its own version: they are nothing to it. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HostWatches } from '../../../../../lib/workspace/watch/host-watches.ts';
import { World, type WorldOptions } from '../../layer/world.ts';
import { ROOT } from '../rig.ts';
import { frame, name as nameBytes, OP } from '../wire.ts';

const [ANNOUNCE, ORDER, INVAL_ENTRY] = [0x53425801, 0x53425802, 3];
/** Until a busy machine gets there */
const WAIT = { timeout: 10_000 };

let watches: HostWatches;

beforeEach(() => {
  watches = new HostWatches();
});
afterEach(() => watches[Symbol.dispose]());

async function worldOf(options: WorldOptions = {}): Promise<World> {
  const files = { '.vscode/tasks.json': 'host', 'plain/file': 'host', 'node_modules/': '' };
  const world = await World.make(files, { private: ['node_modules'], coherence: { watches }, ...options });
  world.rig.stream.write(frame({ opcode: ANNOUNCE, unique: 0, node: 0, pid: 77 }, Buffer.alloc(0)));
  return world;
}

/** Letters and paths that the process inside is to repeat */
function orders({ rig }: World): string[] {
  const sent = rig.notifications.filter(({ code }) => code === ORDER);
  return sent.map(({ body }) => body.toString().split('\0').slice(1).join(' '));
}

function dropped({ rig }: World): string[] {
  const sent = rig.notifications.filter(({ code }) => code === INVAL_ENTRY);
  return sent.map(({ body }) => body.toString('latin1', 16, body.length - 1));
}

async function lifetimesOf({ rig }: World, parent: number, name: string) {
  const body = await rig.call(OP.LOOKUP, parent, nameBytes(name));
  return { entry: Number(body.readBigUInt64LE(16)), attributes: Number(body.readBigUInt64LE(24)) };
}

test('a file that the guest has changed or removed for itself stays as it is', async () => {
  await using world = await worldOf();
  await world.write('.vscode/tasks.json', 'inside');
  const plain = await world.node('plain');
  await world.rig.lookup(plain, 'last').catch(() => {});
  world.put('.vscode/tasks.json', 'host again');
  world.put('plain/last', '');
  await expect.poll(() => orders(world), WAIT).toContain('F plain/last');
  expect(orders(world)).toEqual(['F plain/last']);
  expect(dropped(world)).toEqual(['last']);
  expect(await world.read('.vscode/tasks.json')).toBe('inside');

  await world.rig.unlink(...(await world.place('.vscode/tasks.json')));
  rmSync(join(world.project, '.vscode/tasks.json'));
  rmSync(join(world.project, 'plain/last'));
  await expect.poll(() => orders(world), WAIT).toContain('U plain/last');
  expect(orders(world)).toEqual(['F plain/last', 'U plain/last']);
});

test("nothing is said of what is the guest's own as a whole", async () => {
  await using world = await worldOf();
  await world.mkdir('node_modules');
  await world.rig.lookup(ROOT, 'last').catch(() => {});
  rmSync(join(world.project, 'node_modules'), { recursive: true });
  mkdirSync(join(world.project, 'node_modules'));
  writeFileSync(join(world.project, 'node_modules', 'package'), '');
  writeFileSync(join(world.project, 'last'), '');
  await expect.poll(() => orders(world), WAIT).toContain('F last');
  expect(orders(world)).toEqual(['F last']);
  expect(dropped(world)).toEqual(['last']);
});

test('a protected file that only the host has changed is reported', async () => {
  await using world = await worldOf();
  expect(await world.read('.vscode/tasks.json')).toBe('host');
  world.put('.vscode/tasks.json', 'host again');
  await expect.poll(() => orders(world), WAIT).toContain('M .vscode/tasks.json');
});

test('the private layer is cached for a minute without any watch', async () => {
  watches[Symbol.dispose]();
  watches = new HostWatches({ max: 0 });
  await using world = await worldOf();
  await world.mkdir('node_modules');
  await world.write('node_modules/file', 'own');
  const folder = await world.node('node_modules');
  expect(await lifetimesOf(world, folder, 'file')).toEqual({ entry: 60, attributes: 60 });
  expect(await lifetimesOf(world, folder, 'none')).toEqual({ entry: 60, attributes: 0 });
  expect(await lifetimesOf(world, ROOT, 'plain')).toEqual({ entry: 0, attributes: 0 });
});
