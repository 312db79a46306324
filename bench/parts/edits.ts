/** An edit on the host, until a program in the guest has read it and its watcher has fired; both come back as a line of its output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { median, type Row, samples, timed } from '../tools/table.ts';
import { prepare, type World } from '../tools/world.ts';

const ROUNDS = 25;
/** So that a change does not meet what the one before left */
const REST_MS = 300;

const READER = `const { readFileSync } = require('node:fs');
let old = readFileSync('edited', 'utf8');
console.log('ready');
setInterval(() => { const now = readFileSync('edited', 'utf8'); if (now !== old) console.log('seen'); old = now; }, 1);`;
const WATCHER = `require('node:fs').watch('.', (type, name) => { if (name === 'edited') console.log('seen'); });
console.log('ready');`;

export async function edits(_world: World): Promise<Row[]> {
  await using world = await prepare('shell');
  const file = join(world.dir, 'edited');
  writeFileSync(file, '0');
  let count = 0;
  const edit = () => {
    count += 1;
    writeFileSync(file, String(count));
  };
  const floor = await lineTimes(world, ['cat'], (write) => write('\n'));
  const read = await lineTimes(world, ['node', '-e', READER], edit);
  const watched = await lineTimes(world, ['node', '-e', WATCHER], edit);
  const row = (what: string, times: number[], limit: number): Row => ({
    what,
    unit: 'ms',
    value: median(times),
    floor: { what: 'a line to a command inside and back', value: median(floor) },
    heldTo: `≤ ${limit} ms`,
    met: median(times) <= limit,
    samples: ROUNDS,
  });
  return [
    row('an edit on the host, until a program inside has read it', read, 50),
    row('the same, until its watcher has fired', watched, 200),
  ];
}

/** From `act` until the command in the guest has written a line. */
async function lineTimes(
  { dir, home }: World,
  command: string[],
  act: (write: (text: string) => void) => void,
): Promise<number[]> {
  const env = { ...process.env, SBX_HOME: home };
  const child = spawn(resolve('bin/sbx'), ['exec', '-i', '--', ...command], { cwd: dir, env, stdio: 'pipe' });
  const lines = createInterface({ input: child.stdout });
  try {
    if (command.length > 1) await once(lines, 'line');
    return await samples(ROUNDS, async () => {
      await sleep(REST_MS);
      const line = once(lines, 'line');
      return timed(async () => {
        act((text) => child.stdin.write(text));
        await line;
      });
    });
  } finally {
    child.kill();
    await once(child, 'close');
  }
}
