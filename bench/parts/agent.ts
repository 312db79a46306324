/** A fresh sandbox of an agent to the end of `claude --version`, against the same command in a plain clone of the same snapshot. */
import { imageOf, replay } from '../tools/replay.ts';
import { median, type Row, samples, timed } from '../tools/table.ts';
import { prepare, type World } from '../tools/world.ts';

const ROUNDS = 7;
const COMMAND = ['/usr/local/bin/claude', '--version'];

export async function agent(_world: World): Promise<Row[]> {
  await using world = await prepare('claude');
  const { image, probes } = await imageOf(world);
  const bare = await samples(ROUNDS, () => replay(image, probes, COMMAND));
  const fresh: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.sbx(['rm', '--yes', '--discard']);
    fresh.push(await timed(() => world.sbx(['exec', '--apply', '--', ...COMMAND])));
  }
  return [
    {
      what: 'fresh sandbox to `claude --version` done (`sbx exec --apply`)',
      unit: 'ms',
      value: median(fresh),
      floor: { what: 'the same in a plain clone', value: median(bare) },
      samples: ROUNDS,
    },
  ];
}
