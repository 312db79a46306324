import { expect, test } from 'vitest';
import { poolDemand, poolKeyOf } from '../../../../../lib/engine/local/pool/demand.ts';
import type { WarmImage } from '../../../../../lib/image/warm/warm-image.ts';
import type { SandboxSpec } from '../../../../../lib/spec/spec.ts';
import { FIRST, type InstanceRecord } from '../../../../../lib/state/records.ts';
import { FILE, rule, spec } from '../../../plan/spec.ts';

const image = (key = 'k') => ({ key }) as WarmImage;
const waiting = (pool: number, change: Partial<SandboxSpec> = {}) =>
  spec({ lifecycle: { restart: 'on-failure', idleSeconds: 0, pool }, ...change });

function record(applied: SandboxSpec | null, change: Partial<InstanceRecord> = {}): InstanceRecord {
  return { applied, image: image(), desired: FIRST, ...change } as InstanceRecord;
}

const mount = (line: number) => ({
  host: '/data',
  guest: '/data',
  readonly: true,
  source: { file: FILE, line, column: 1 },
});

const counts = (records: InstanceRecord[]) => [...poolDemand(records).values()].map(({ count }) => count);

test('sandboxes that are alike share clones: as many as the one that asks for most', () => {
  const one = waiting(1, { name: 'a', env: { A: '1' }, network: { ...spec().network, allow: [rule('a.test')] } });
  expect(counts([record(one), record(waiting(3, { name: 'b' })), record(waiting(2))])).toEqual([3]);
});

test('none for a sandbox that was not applied, that a person stopped, or that asks for none', () => {
  const asking = waiting(2);
  expect(
    counts([record(null), record(asking, { image: null }), record(asking, { desired: { ...FIRST, power: 'off' } })]),
  ).toEqual([]);
  expect(counts([record(waiting(0))])).toEqual([]);
});

test('none from a snapshot of another size: it cannot be resumed with the one of now', () => {
  const small = { ...image(), size: { ...spec().resources, memoryBytes: 2 ** 30 } };
  expect(counts([record(waiting(1), { image: small })])).toEqual([]);
  expect(counts([record(waiting(1), { image: { ...small, size: spec().resources } })])).toEqual([1]);
});

test.each<[string, Partial<SandboxSpec>]>([
  ['another size', { resources: { cpus: 1, memoryBytes: 2 ** 31, diskBytes: 20 * 2 ** 30 } }],
  ['another folder', { workspace: { ...spec().workspace, path: '/other' } }],
  ['more that is hidden', { workspace: { ...spec().workspace, hide: ['.env'] } }],
  ['more that is read-only', { workspace: { ...spec().workspace, readonly: ['docs'] } }],
  ['another mount', { mounts: [mount(1)] }],
  ['a file of the configuration that is to be protected', { sources: { name: { file: FILE, line: 1, column: 1 } } }],
])('%s does not fit', (_what, change) => {
  expect(poolKeyOf({ id: 'i', spec: spec(change), image: image() })).not.toBe(
    poolKeyOf({ id: 'i', spec: spec(), image: image() }),
  );
  expect(counts([record(waiting(1)), record(waiting(1, change))])).toEqual([1, 1]);
});

test('the same on other lines of the file fits', () => {
  const at = (line: number) =>
    spec({ mounts: [mount(line)], sources: { 'mounts[0]': { file: FILE, line, column: 1 } } });
  expect(poolKeyOf({ id: 'i', spec: at(4), image: image() })).toBe(poolKeyOf({ id: 'i', spec: at(9), image: image() }));
});

test('another image does not fit', () => {
  expect(poolKeyOf({ id: 'i', spec: spec(), image: image('other') })).not.toBe(
    poolKeyOf({ id: 'i', spec: spec(), image: image() }),
  );
});

test('kept folders are those of one sandbox: its clones are its own', () => {
  const keeping = spec({ agent: { ...spec().agent, keep: ['.a'] } });
  const keyOf = (id: string, of = keeping) => poolKeyOf({ id, spec: of, image: image() });
  expect(keyOf('one')).not.toBe(keyOf('two'));
  expect(keyOf('one', spec())).toBe(keyOf('two', spec()));
});
