/** Snapshots for sandboxes whose size has changed: which are built, and what the pool is told. The builds are test doubles. */
import { describe, expect, test } from 'vitest';
import { poolDemand } from '../../../../../lib/engine/local/pool/demand.ts';
import { ResizedImages } from '../../../../../lib/engine/local/pool/resized-images.ts';
import type { WarmImage } from '../../../../../lib/image/warm/warm-image.ts';
import { FIRST, type InstanceRecord } from '../../../../../lib/state/records.ts';
import { spec } from '../../../plan/spec.ts';

const OLD = spec().resources;
const NEW = { ...OLD, memoryBytes: 2 ** 30 };
const image = (size: WarmImage['size'], key: string) => ({ key, size, chain: [{ kind: 'warm', key }] }) as WarmImage;

function record(change: Partial<InstanceRecord> = {}, pool = 1): InstanceRecord {
  const applied = spec({ resources: NEW, lifecycle: { restart: 'on-failure', idleSeconds: 0, pool } });
  return { id: 'shop', applied, image: image(OLD, 'old'), desired: FIRST, ...change } as InstanceRecord;
}

/** `made`: what a build does before it is done. */
function rig(made: (signal: AbortSignal) => Promise<void> = async () => {}) {
  const log: string[] = [];
  const images = new ResizedImages({
    async build({ resources }, { signal, onProgress }) {
      log.push('build');
      onProgress('apt-get install jq');
      await made(signal);
      return image(resources, `of ${resources.memoryBytes}`);
    },
    log: { warn: (message) => void log.push(message) },
  });
  const demand = (one: InstanceRecord) =>
    [...poolDemand([images.withImage(one)]).values()].map(({ image: { key } }) => key);
  return { images, log, demand };
}

test('the pool asks for clones of the new size once its snapshot is built, which is built once and kept by gc', async () => {
  const { images, log, demand } = rig();
  expect(demand(record())).toEqual([]);
  await images.fill(() => [record()]);
  await images.fill(() => [record()]);
  expect([demand(record()), log]).toEqual([[`of ${2 ** 30}`], ['build']]);
  expect(images.layers).toEqual([{ kind: 'warm', key: `of ${2 ** 30}` }]);
});

test('a size that has changed again is built again; until then no clone has the wrong one', async () => {
  const { images, log, demand } = rig();
  await images.fill(() => [record()]);
  const again = record({ applied: { ...(record().applied ?? spec()), resources: { ...NEW, cpus: 1 } } });
  expect(demand(again)).toEqual([]);
  await images.fill(() => [again]);
  expect([demand(again).length, log]).toEqual([1, ['build', 'build']]);
});

test.each<[string, InstanceRecord]>([
  ['of its own size', record({ image: image(NEW, 'own') })],
  ['of unknown size', record({ image: image(undefined, 'own') })],
  ['that asks for no clones', record({}, 0)],
  ['that is off', record({ desired: { ...FIRST, power: 'off' } })],
  ['that was never applied', record({ applied: null })],
])('nothing is built for a sandbox %s', async (_what, one) => {
  const { images, log } = rig();
  await images.fill(() => [one]);
  expect([images.withImage(one), log]).toEqual([one, []]);
});

test('a build that fails is reported, and not tried again at once', async () => {
  const { images, log, demand } = rig(async () => Promise.reject(new Error('no space')));
  await images.fill(() => [record()]);
  await images.fill(() => [record()]);
  expect([demand(record()), log]).toEqual([[], ['build', 'warm snapshot for new clones: no space']]);
});

test('packages that were installed since: an image is built without a pool, too, and no clone lacks them until then', async () => {
  const { images, log, demand } = rig();
  const size = { resources: OLD, lifecycle: { restart: 'on-failure', idleSeconds: 0, pool: 1 } } as const;
  const one = record({ applied: spec(size), image: image(OLD, 'old'), imageLacksPackages: true });
  expect(demand(one)).toEqual([]);
  await images.fill(() => [one]);
  await images.fill(() => [one]);
  expect([demand(one), log]).toEqual([[`of ${OLD.memoryBytes}`], ['build']]);
  const more = { ...one, applied: spec({ ...size, packages: { apt: ['jq'], npm: [], pip: [], setup: [] } }) };
  expect(demand(more)).toEqual([]);
  const alone = { ...one, id: 'alone', applied: spec({ resources: OLD }) };
  await images.fill(() => [alone]);
  expect(log).toEqual(['build', 'build']);
});

describe('what is said of a missing image', () => {
  const size = { resources: OLD, lifecycle: { restart: 'on-failure', idleSeconds: 0, pool: 0 } } as const;
  const lacking = (id = 'shop', apt: string[] = []) =>
    ({
      ...record({
        applied: spec({ ...size, packages: { apt, npm: [], pip: [], setup: [] } }),
        image: image(OLD, 'old'),
      }),
      ...{ id, imageLacksPackages: true },
    }) as InstanceRecord;

  test('it waits, is built with its part that is built now, and then nothing is missing', async () => {
    let finish = () => {};
    const { images } = rig(
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    expect(images.stateOf(lacking())).toEqual({ is: 'waiting', reason: 'packages' });
    const filling = images.fill(() => [lacking()]);
    expect(images.stateOf(lacking())).toMatchObject({ is: 'building', doing: 'apt-get install jq' });
    expect(images.stateOf(lacking('other'))).toMatchObject({ is: 'waiting' });
    finish();
    await filling;
    expect(images.stateOf(lacking())).toBeUndefined();
    expect(images.stateOf(record({ image: image(NEW, 'own') }))).toBeUndefined();
    expect(images.stateOf(record())).toEqual({ is: 'waiting', reason: 'size' });
  });

  test('a failure is named, holds up no other sandbox, and ends with other packages', async () => {
    const { images, log } = rig(() => (log.length === 1 ? Promise.reject(new Error('no jq')) : Promise.resolve()));
    await images.fill(() => [lacking(), lacking('other')]);
    expect(images.stateOf(lacking())).toMatchObject({ is: 'failed', error: 'no jq', since: expect.any(String) });
    expect([images.stateOf(lacking('other')), log.filter((line) => line === 'build').length]).toEqual([undefined, 2]);
    const corrected = lacking('shop', ['gron']);
    expect(images.stateOf(corrected)).toMatchObject({ is: 'waiting' });
    await images.fill(() => [corrected]);
    expect(images.stateOf(corrected)).toBeUndefined();
  });
});

test('the end of the daemon ends a build', async () => {
  const { images, log } = rig(
    (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const filling = images.fill(() => [record()]);
  await images[Symbol.asyncDispose]();
  await filling;
  await images.fill(() => [record()]);
  expect(log).toEqual(['build']);
});
