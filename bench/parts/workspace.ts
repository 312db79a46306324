/** The workspace against the guest's own disk: the same tree, guest and run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../tools/table.ts';
import { commitAll, inTurns, makeTree, type Places } from '../tools/workspace-guest.ts';
import { prepare, type World } from '../tools/world.ts';

const TREES = [1_000, 20_000];
const ROUNDS = 5;
const BULK_MB = 256;
const BULK_ROUNDS = 5;
const INSTALL_ROUNDS = 3;
const FLOOR = 'the guest’s own disk';
const MIB = 1_048_576 / 1e6;

export async function workspace(_world: World): Promise<Row[]> {
  await using world = await prepare('claude', '[network]\nallow = ["preset:npm"]\n');
  const rows: Row[] = [];
  for (const files of TREES) rows.push(...(await treeRows(world, files)));
  rows.push(await installRow(world));
  rows.push(...(await bulkRows(world)));
  return rows;
}

async function treeRows(world: World, files: number): Promise<Row[]> {
  const places = await placesOf(world, `tree-${files}`);
  makeTree(places.workspace, files);
  commitAll(places.workspace);
  await world.sbx(['exec', '--', 'cp', '-a', `${places.workspace}/.`, places.disk]);
  const status = await inTurns(world, places, { command: 'git status', rounds: ROUNDS });
  const stat = await inTurns(world, places, { command: "find . -type f -printf '%s\\n'", rounds: ROUNDS });
  const row = (what: string, times: Times) =>
    rowOf(`${what}, ${files} files in the workspace`, times, { atMost: 2, samples: ROUNDS });
  return [row('`git status`, warm', status), row('stat of every file', stat)];
}

/** From a cache on the guest's disk, so that the network is no part of it. */
async function installRow(world: World): Promise<Row> {
  const places = await placesOf(world, 'install');
  const manifest = { name: 'bench', private: true, devDependencies: { eslint: '9.39.1', vite: '7.2.4' } };
  writeFileSync(join(places.workspace, 'package.json'), JSON.stringify(manifest));
  const once = `cd "$1" && npm install --ignore-scripts --no-audit --no-fund >/dev/null && cp package*.json "$2"`;
  await world.sbx(['exec', '--', 'sh', '-c', once, 'sh', places.workspace, places.disk]);
  const times = await inTurns(world, places, {
    command: 'npm ci --offline --ignore-scripts --no-audit --no-fund',
    before: 'rm -rf node_modules',
    rounds: INSTALL_ROUNDS,
  });
  const what = '`npm ci` of eslint and vite from a local cache, in the workspace';
  return rowOf(what, times, { atMost: 1.5, samples: INSTALL_ROUNDS });
}

type Times = Awaited<ReturnType<typeof inTurns>>;

/** `atMost`: times what the guest's own disk takes. */
function rowOf(
  what: string,
  { workspace: value, disk }: Times,
  { atMost, samples }: { atMost: number; samples: number },
): Row {
  return {
    what,
    unit: 'ms',
    value,
    floor: { what: FLOOR, value: disk },
    heldTo: `≤ ${atMost} × floor`,
    met: value <= atMost * disk,
    samples,
  };
}

async function bulkRows(world: World): Promise<Row[]> {
  const places = await placesOf(world, 'bulk');
  const write = await inTurns(world, places, {
    command: `dd if=/dev/zero of=bulk bs=1M count=${BULK_MB} conv=fsync 2>/dev/null`,
    before: 'rm -f bulk',
    rounds: BULK_ROUNDS,
  });
  const read = await inTurns(world, places, {
    command: 'dd if=bulk of=/dev/null bs=1M 2>/dev/null',
    before: 'sudo -n sh -c "sync; echo 3 > /proc/sys/vm/drop_caches"',
    rounds: BULK_ROUNDS,
  });
  const rate = (ms: number) => (BULK_MB * MIB) / (ms / 1000);
  return Object.entries({ write, read }).map(([what, ms]) => ({
    what: `workspace: ${what} of ${BULK_MB} MiB`,
    unit: 'MB/s',
    value: rate(ms.workspace),
    floor: { what: FLOOR, value: rate(ms.disk) },
    heldTo: '≥ 100 MB/s',
    met: rate(ms.workspace) >= 100,
    samples: BULK_ROUNDS,
  }));
}

async function placesOf({ dir, sbx }: World, name: string): Promise<Places> {
  const places = { workspace: join(dir, name), disk: `/home/agent/${name}` };
  mkdirSync(places.workspace);
  await sbx(['exec', '--', 'mkdir', '-p', places.disk]);
  return places;
}
