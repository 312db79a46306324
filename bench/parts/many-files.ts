/** A start in a project of many files, over one of few. */
import type { Row } from '../tools/table.ts';
import { median, timed } from '../tools/table.ts';
import { makeTree } from '../tools/workspace-guest.ts';
import { prepare, type World } from '../tools/world.ts';

const MANY = 400_000;
const FEW = 10;
const ROUNDS = 7;

export async function manyFiles(_world: World): Promise<Row[]> {
  await using many = await prepare('shell');
  makeTree(many.dir, MANY);
  await using few = await prepare('shell');
  makeTree(few.dir, FEW);
  const times = { many: [] as number[], few: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.many.push(await start(many));
    times.few.push(await start(few));
  }
  const [value, floor] = [median(times.many), median(times.few)];
  return [
    {
      what: `fresh sandbox in a project of ${MANY} files`,
      unit: 'ms',
      value,
      floor: { what: `the same with ${FEW} files`, value: floor },
      heldTo: '≤ floor + 50 ms',
      met: value <= floor + 50,
      samples: ROUNDS,
    },
  ];
}

async function start({ sbx }: World): Promise<number> {
  await sbx(['rm', '--yes', '--discard']);
  return timed(() => sbx(['exec', '--apply', '--', '/bin/true']));
}
