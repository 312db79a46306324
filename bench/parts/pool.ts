/** A fresh sandbox that has waited in the pool, to its first command's exit. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxDetail } from '../../lib/api/sandbox-status.ts';
import { imageOf, replay } from '../tools/replay.ts';
import { median, type Row, samples, timed } from '../tools/table.ts';
import { prepare, type World } from '../tools/world.ts';

const ROUNDS = 9;
const LOOK_MS = 50;
/** One that was made just now is not yet at rest */
const REST_MS = 1_000;

export async function pool(_world: World): Promise<Row[]> {
  await using world = await prepare('shell', '[lifecycle]\npool = 1\n[sandboxes.one]\ncount = 2\n');
  const { image, probes } = await imageOf(world);
  await untilOneWaits(world);
  const bare = await samples(ROUNDS, () => replay(image, probes, ['/bin/true']));
  const fresh: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.sbx(['rm', 'one-2', '--yes', '--discard']);
    await untilOneWaits(world);
    fresh.push(await timed(() => world.sbx(['exec', '--apply', 'one-2', '--', '/bin/true'])));
  }
  return [
    {
      what: 'the same from the pool',
      unit: 'ms',
      value: median(fresh),
      floor: { what: 'bare QEMU replay with the same command', value: median(bare) },
      heldTo: '≤ 200 ms',
      met: median(fresh) <= 200,
      samples: ROUNDS,
    },
  ];
}

async function untilOneWaits(world: World): Promise<void> {
  const look = async () => JSON.parse(await world.sbx(['inspect', 'one-1', '--json'])) as SandboxDetail;
  while ((await look()).pool.waiting === 0) await sleep(LOOK_MS);
  await sleep(REST_MS);
}
