/** The private layer over a folder of the host, against one plain file system in memory. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Layer } from '../../../../lib/workspace/layer/layer.ts';
import type { Decide } from '../../../../lib/workspace/server/tables/policy.ts';
import { Model } from '../server/model/model.ts';
import { type Action, action, Guest, modelTree, outcome, readTree, runModel } from '../server/model/model-guest.ts';
import { Rig, ROOT } from '../server/rig.ts';

const [EXDEV, ENOTEMPTY] = [18, 39];

/** What the host has before the guest comes */
const LOWER = ['a/', 'a/a', 'a/b/', 'a/b/c', 'b/', 'b/a/', 'b/a/c', 'b/b', 'c@'];

const actions = fc.array(action, { minLength: 20, maxLength: 60, size: 'max' });

interface World {
  folder: string;
  lower: string;
  layer: string;
  model: Model;
}

function makeWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-layer-model-'));
  const [lower, model] = [join(folder, 'lower'), new Model()];
  mkdirSync(lower);
  for (const path of LOWER) addLower(lower, model, path);
  return { folder, lower, layer: join(folder, 'layer'), model };
}

function addLower(lower: string, model: Model, path: string): void {
  const name = path.replace(/[/@]$/, '');
  if (path.endsWith('/')) mkdirSync(join(lower, name));
  else if (path.endsWith('@')) symlinkSync('a/a', join(lower, name));
  else writeFileSync(join(lower, name), `host ${name}`);
  if (path.endsWith('/')) model.mkdir(name);
  else if (path.endsWith('@')) model.symlink(name, 'a/a');
  else {
    model.create(name);
    model.write(name, { offset: 0, data: Buffer.from(`host ${name}`) });
  }
}

type Differs = (world: World, one: Action, errno: number) => boolean;

async function run(world: World, { decide, differs }: { decide: Decide; differs: Differs }, all: Action[]) {
  using layer = new Layer({ path: world.layer });
  await using rig = await Rig.mount(world.lower, {
    decide,
    layers: new Map([['', layer]]),
    limits: { directoryFds: 8 },
  });
  const guest = new Guest(rig, world.model, { hidesFolders: true });
  for (const one of all) {
    const mayDiffer = [EXDEV, ENOTEMPTY].filter((errno) => differs(world, one, errno));
    const found = await outcome(() => guest.run(one));
    const errno = (found as { errno?: number }).errno;
    if (errno !== undefined && mayDiffer.includes(errno)) continue;
    expect(found, JSON.stringify(one)).toEqual(await outcome(() => runModel(world.model, one)));
    await guest.check();
  }
  expect(await guestTree(rig)).toEqual(modelTree(world.model.root));
  expect(rig.errors).toEqual([]);
}

/** What a new server shows of the same folders */
async function reopened(world: World, decide: Decide): Promise<unknown> {
  using layer = new Layer({ path: world.layer });
  await using rig = await Rig.mount(world.lower, { decide, layers: new Map([['', layer]]) });
  return await guestTree(rig);
}

async function guestTree(rig: Rig, node = ROOT): Promise<unknown> {
  const found = new Map<string, unknown>();
  for (const { name } of await rig.list(node, { plus: true })) {
    if (name.toString().startsWith('.')) continue;
    const { node: below, attr } = await rig.lookup(node, name);
    if (attr.mode >> 12 === 4) found.set(name.toString(), await guestTree(rig, below));
    else if (attr.mode >> 12 === 10) found.set(name.toString(), { target: (await rig.readlink(below)).toString() });
    else found.set(name.toString(), await content(rig, below));
  }
  return new Map([...found].sort());
}

async function content(rig: Rig, node: number): Promise<string> {
  const handle = await rig.open(node);
  const bytes = await rig.read(node, handle, { size: 65_536 });
  await rig.release(node, handle);
  return bytes.toString('hex');
}

it('is one file system for the guest, and the host sees none of it', async () => {
  const decide: Decide = ({ path }) => (path.length === 0 ? 'pass' : 'private');
  // A folder of which the host has a part is copied by the guest's program.
  const differs: Differs = ({ lower }, { do: what, path = '', to = '' }, errno) =>
    errno === EXDEV && ['rename', 'exchange'].includes(what) && [path, to].some((one) => isFolder(join(lower, one)));
  await fc.assert(
    fc.asyncProperty(actions, async (all) => {
      const world = makeWorld();
      try {
        const before = readTree(world.lower);
        await run(world, { decide, differs }, all);
        expect(readTree(world.lower)).toEqual(before);
        expect(await reopened(world, decide)).toEqual(modelTree(world.model.root));
      } finally {
        rmSync(world.folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

it('is one file system for the guest where only some names are private', async () => {
  const isPrivate = (path: string) => path.split('/').includes('a');
  const decide: Decide = ({ path }) => (isPrivate(path.toString()) ? 'private' : 'pass');
  const differs: Differs = ({ lower, model }, { do: what, path = '', to = '' }, errno) => {
    if (errno === ENOTEMPTY) return [path, to].some((one) => holdsPrivate(join(lower, one)));
    const kinds = [path, to].map((one) => model.peek(one)?.kind);
    const hasFolder = kinds.includes('directory') && ['rename', 'exchange'].includes(what);
    return hasFolder || isPrivate(path) !== isPrivate(to);
  };
  await fc.assert(
    fc.asyncProperty(actions, async (all) => {
      const world = makeWorld();
      try {
        await run(world, { decide, differs }, all);
        expect(await reopened(world, decide)).toEqual(modelTree(world.model.root));
        expect(passing(readTree(world.lower))).toEqual(passing(modelTree(world.model.root)));
      } finally {
        rmSync(world.folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

/** True for a folder of the host in which the guest may have removed what the host keeps */
function holdsPrivate(path: string): boolean {
  return isFolder(path) && readdirSync(path).some((name) => name === 'a' || holdsPrivate(join(path, name)));
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function passing(tree: unknown): unknown {
  if (!(tree instanceof Map)) return tree;
  return new Map([...tree].filter(([name]) => name !== 'a').map(([name, below]) => [name, passing(below)]));
}

it('keeps what is private below a folder that is renamed to its own name', async () => {
  const decide: Decide = ({ path }) => (path.toString().split('/').includes('a') ? 'private' : 'pass');
  const world = makeWorld();
  try {
    using layer = new Layer({ path: world.layer });
    await using rig = await Rig.mount(world.lower, { decide, layers: new Map([['', layer]]) });
    const { node } = await rig.lookup(ROOT, 'b');
    await rig.mkdir(node, 'own');
    const { node: own } = await rig.lookup(node, 'own');
    await rig.mkdir(own, 'a');
    await rig.rename([ROOT, 'b'], [ROOT, 'b']);
    const names = (await rig.list(own)).map(({ name }) => name.toString());
    expect(names).toContain('a');
    expect(existsSync(join(world.lower, 'b/own/a'))).toBe(false);
  } finally {
    rmSync(world.folder, { recursive: true, force: true });
  }
});
