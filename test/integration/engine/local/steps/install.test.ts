/** A daemon that is killed while packages are installed: the next one repeats what is not recorded, and no line of `setup` that is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { install } from '../../../../../lib/engine/local/steps/install.ts';
import type { StepDeps } from '../../../../../lib/engine/local/steps/step-deps.ts';
import { homeOf } from '../../../../../lib/paths.ts';
import { FIRST, type InstanceRecord, Records } from '../../../../../lib/state/records.ts';
import { spec } from '../../../../unit/plan/spec.ts';

const ID = 'shop-1';
const NONE = { apt: [], npm: [], pip: [], setup: [] };
const WANTED = spec({ packages: { ...NONE, apt: ['jq'], setup: ['one', 'two', 'three'] } });

let dir: string;
let records: Records;
/** Last word of each command that the guest got */
let ran: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-ins-'));
  ran = [];
  records = new Records(homeOf({ SBX_HOME: dir }));
  const { name } = WANTED;
  await records.put({
    ...{ version: 1, id: ID, name, project: 'shop', projectDir: dir, createdAt: '', generation: 1, boot: 1 },
    ...{ desired: FIRST, target: WANTED, applied: spec({ packages: NONE }), image: null, built: null },
  } as unknown as InstanceRecord);
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A daemon: of its last one, only the records on the disk are left. Its guest never ends the command whose last word is `hangs`. */
function daemon(hangs?: string): Promise<void> {
  const exec = ({ argv }: { argv: string[] }) => {
    ran.push(argv.at(-1) ?? '');
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    if (argv.at(-1) === hangs) return { stdout, stderr, exit: new Promise(() => {}) };
    stdout.end();
    stderr.end();
    return { stdout, stderr, exit: Promise.resolve({ code: 0 }) };
  };
  const home = homeOf({ SBX_HOME: dir });
  records = new Records(home);
  const deps = {
    home,
    records,
    registries: { refresh: async () => ({}) },
    guests: { connect: async () => ({ exec }) },
  } as unknown as StepDeps;
  const context = { id: ID, signal: new AbortController().signal, onProgress: () => {}, onLine: () => {} };
  return install(deps, { action: 'install', sandbox: 'shop', spec: WANTED }, context);
}

async function killedAt(word: string): Promise<void> {
  void daemon(word);
  await vi.waitFor(() => expect(ran.at(-1)).toBe(word), 20_000);
  ran = [];
}

test('while packages are fetched: all of it is repeated, and dpkg is mended first', async () => {
  await killedAt('jq');
  expect(records.require(ID)).toMatchObject({ imageLacksPackages: true, applied: { packages: NONE } });
  await daemon();
  expect(ran).toEqual(['-a', 'update', 'jq', 'clean', 'sync', 'one', 'two', 'three']);
  expect(records.require(ID).applied?.packages).toEqual(WANTED.packages);
});

test('while a line of setup runs: it is run again, and none before it', async () => {
  await killedAt('two');
  expect(records.require(ID).applied?.packages).toEqual({ ...WANTED.packages, setup: ['one'] });
  await daemon();
  expect(ran).toEqual(['two', 'three']);
  expect(records.require(ID).applied?.packages).toEqual(WANTED.packages);
});

test('after the last line: nothing is repeated', async () => {
  await daemon();
  ran = [];
  await daemon();
  expect(ran).toEqual([]);
});
