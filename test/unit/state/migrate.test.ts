/** A state folder of an earlier build gets the present names of files, wherever an earlier migration was cut off. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPlaceholders } from '../../../lib/engine/local/credentials/placeholder-file.ts';
import { homeOf, instancePaths } from '../../../lib/paths.ts';
import { planSandbox } from '../../../lib/plan/plan.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { migrateInstance } from '../../../lib/state/migrate.ts';
import { backgroundDesired, Records } from '../../../lib/state/records.ts';
import { apply, running } from '../plan/spec.ts';

const ID = 'demo-0123456789';
const STUBS = JSON.stringify({ version: 1, paths: ['/work/.env'] });
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-migrate-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function oldInstance() {
  const home = homeOf({ SBX_HOME: root });
  const paths = instancePaths(home, ID);
  mkdirSync(join(paths.dir, 'door'), { recursive: true });
  writeFileSync(join(paths.dir, 'door', 'proxy'), '');
  writeFileSync(join(paths.dir, 'placeholders.json'), STUBS);
  writeFileSync(join(paths.dir, 'stand-ins.json'), JSON.stringify({ version: 1, standIns: { TOKEN: 'sbx_abc' } }));
  return { home, paths };
}

test('renames the files of an earlier build and keeps what they hold', () => {
  const { home, paths } = oldInstance();
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(readFileSync(paths.mountStubs, 'utf8')).toBe(STUBS);
  expect(existsSync(paths.proxySocket)).toBe(true);
  for (const name of ['door', 'placeholders.json', 'stand-ins.json'])
    expect(existsSync(join(paths.dir, name))).toBe(false);
});

test('a second run changes nothing', () => {
  const { home, paths } = oldInstance();
  migrateInstance(home, ID);
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(readFileSync(paths.mountStubs, 'utf8')).toBe(STUBS);
});

test('finishes a migration that was cut off after the new placeholders were written', () => {
  const { home, paths } = oldInstance();
  writeFileSync(paths.placeholders, JSON.stringify({ version: 1, placeholders: { TOKEN: 'sbx_abc' } }));
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(existsSync(join(paths.dir, 'stand-ins.json'))).toBe(false);
});

describe('a record that an earlier build wrote', () => {
  const before = readFileSync(join(import.meta.dirname, 'before/instance.json'), 'utf8');

  function withRecord(change: object = {}) {
    const home = homeOf({ SBX_HOME: root });
    const record = { ...JSON.parse(before), ...change } as { id: string };
    const paths = instancePaths(home, record.id);
    mkdirSync(paths.dir, { recursive: true });
    writeFileSync(paths.record, JSON.stringify(record));
    return new Records(home).require(record.id);
  }

  test('of a sandbox that an idle stop ended: its desired power is off, its spec and image are kept', () => {
    const old = JSON.parse(before) as { applied: object; image: object; resumed: object };
    const record = withRecord();
    expect(record.desired).toEqual({ exists: true, power: 'off', stoppedBy: 'idle', generation: 1, boot: 1 });
    const { cpus, memoryBytes, diskBytes } = (old.applied as SandboxSpec).resources;
    // Its snapshot was made for the size that was applied.
    expect([record.applied, record.resumed]).toEqual([old.applied, old.resumed]);
    expect(record.image).toEqual({ ...old.image, size: { cpus, memoryBytes, diskBytes } });
    expect(record).not.toHaveProperty('stopped');
    expect(backgroundDesired(record)).toEqual({ spec: old.applied, power: 'off', generation: 1, boot: 1 });
  });

  test('of a running sandbox: a plan of it is empty', () => {
    const { applied, desired, generation, boot } = withRecord({ stopped: null });
    const observed = { ...running(applied as SandboxSpec), generation, boot, power: desired.power };
    expect(planSandbox({ spec: applied as SandboxSpec, ...desired }, observed, apply)).toEqual({
      changes: [],
      steps: [],
    });
  });
});
