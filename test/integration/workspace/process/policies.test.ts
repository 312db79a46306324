/** What a workspace server keeps of its folders when they are attached again. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { policiesOf, release } from '../../../../lib/workspace/process/policies.ts';
import type { AttachedFolder } from '../../../../lib/workspace/protocol/messages.ts';
import { openVolume, type Volume } from '../../../../lib/workspace/server/tables/volume.ts';

const LISTS = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [], named: [] };
let path: string;
let volume: Volume;

beforeEach(() => {
  path = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-policies-')));
  volume = openVolume(['ws', 'm0'].map((name) => ({ name, path })));
});
afterEach(() => {
  volume[Symbol.dispose]();
  rmSync(path, { recursive: true, force: true });
});

function folders(hide: string[]): AttachedFolder[] {
  const entries = hide.map((text) => ({ text, source: 'default' as const }));
  return ['ws', 'm0'].map((name) => {
    const rules = name === 'ws' ? { ...LISTS, hide: entries } : LISTS;
    return { name, path, hostPath: path, readonly: false, rules };
  });
}

test('the same rules keep what was found, others do not', () => {
  const first = policiesOf(volume, folders([]));
  const same = policiesOf(volume, folders([]), first);
  for (const [name, one] of same) expect(one).toBe(first.get(name));
  release(first, same);
  const other = policiesOf(volume, folders(['.env']), same);
  expect(other.get('ws')).not.toBe(same.get('ws'));
  expect(other.get('m0')).toBe(same.get('m0'));
  release(same, other);
  release(other);
});

test('other names keep what was found, and are in force', () => {
  const first = policiesOf(volume, folders([]));
  const changed = folders([]).map((one) => ({ ...one, rules: { ...LISTS, named: ['hooks'] } }));
  const second = policiesOf(volume, changed, first);
  expect(second.get('ws')?.facts).toBe(first.get('ws')?.facts);
  expect(policiesOf(volume, changed, second).get('ws')).toBe(second.get('ws'));
  const named = () => second.get('ws')?.facts?.factsFor('hooks').named.paths.has('hooks');
  expect(named()).toBe(true);
  policiesOf(volume, folders([]), second);
  expect(named()).toBe(false);
  release(second);
});

test('a read-only mount is not walked, a read-only folder with rules is', () => {
  const [ws, m0] = folders(['.env']);
  if (ws === undefined || m0 === undefined) throw new Error('there are two');
  const { rules: _, ...plain } = m0;
  const found = policiesOf(volume, [
    { ...ws, readonly: true },
    { ...plain, readonly: true },
  ]);
  expect(['ws', 'm0'].map((name) => found.get(name)?.facts !== undefined)).toEqual([true, false]);
  release(found);
});
