/** A fresh sandbox to its first command's exit, against a bare replay of the same snapshot; warm against cold. */
import { imageOf, replay } from '../tools/replay.ts';
import { median, type Row, samples, timed } from '../tools/table.ts';
import type { World } from '../tools/world.ts';

const ROUNDS = 9;
const COLD_ROUNDS = 3;

export async function starts(world: World): Promise<Row[]> {
  const { image, probes } = await imageOf(world);
  const bare = await samples(ROUNDS, () => replay(image, probes, ['/bin/true']));
  const fresh: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.sbx(['rm', '--yes', '--discard']);
    fresh.push(await timed(() => world.sbx(['exec', '--apply', '--', '/bin/true'])));
  }
  const cold: number[] = [];
  for (let round = 0; round < COLD_ROUNDS; round += 1) {
    await world.sbx(['stop']);
    cold.push(
      await timed(async () => {
        await world.sbx(['start']);
        await world.sbx(['exec', '--', '/bin/true']);
      }),
    );
  }
  const [value, floor, slow] = [median(fresh), median(bare), median(cold)];
  return [
    {
      what: 'fresh sandbox to first command’s exit (`sbx exec --apply`)',
      unit: 'ms',
      value,
      floor: { what: 'bare QEMU replay with the same command', value: floor },
      heldTo: '≤ 600 ms and ≤ 1.5 × floor',
      met: value <= 600 && value <= 1.5 * floor,
      samples: ROUNDS,
    },
    {
      what: 'cold boot of the same spec, over warm',
      unit: '×',
      value: slow / value,
      floor: undefined,
      heldTo: '≥ 15 ×',
      met: slow / value >= 15,
      samples: COLD_ROUNDS,
    },
  ];
}
