/** A sandbox of 1 GiB with a process in it: saved, and continued to its first command's exit. Also a reset. */
import { median, type Row, timed } from '../tools/table.ts';
import type { World } from '../tools/world.ts';

const ROUNDS = 7;
const RESETS = 5;
const BOUND_MS = 2_000;
const RESET_BOUND_MS = 1_000;

export async function suspends(world: World): Promise<Row[]> {
  await world.sbx([
    'exec',
    '--',
    'sh',
    '-c',
    'setsid sleep 1000000 >/dev/null 2>&1 & head -c 200M /dev/urandom >/dev/shm/used',
  ]);
  const [down, up, again]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    down.push(await timed(() => world.sbx(['suspend'])));
    up.push(await timed(() => world.sbx(['exec', '--', 'pgrep', 'sleep'])));
  }
  for (let round = 0; round < RESETS; round += 1) again.push(await timed(() => world.sbx(['reset', '--yes'])));
  return [
    rowOf('`sbx suspend` of 1 GiB, 200 MB of it in use', down, BOUND_MS),
    rowOf('the same continued, to its first command’s exit', up, BOUND_MS),
    rowOf('`sbx reset`', again, RESET_BOUND_MS),
  ];
}

function rowOf(what: string, values: number[], boundMs: number): Row {
  const value = median(values);
  return {
    what,
    unit: 'ms',
    value,
    floor: undefined,
    heldTo: `≤ ${boundMs} ms`,
    met: value <= boundMs,
    samples: values.length,
  };
}
