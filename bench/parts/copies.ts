/** `sbx cp` of one large file, each way. Its content is random: nothing of it is sparse, or compresses. */
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median, type Row, samples, timed } from '../tools/table.ts';
import type { World } from '../tools/world.ts';

const MIB = 1024 ** 2;
const SIZE_MIB = 1024;
const ROUNDS = 3;
const RATE_AT_LEAST = 80;
const INSIDE = '/home/agent/copied';

export async function copies({ dir, sbx }: World): Promise<Row[]> {
  const file = join(dir, 'to-copy');
  fill(file);
  const inside = (command: string) => sbx(['exec', '--', 'sh', '-c', command]);
  const rows: Row[] = [];
  for (const [what, args, floor] of [
    ['in', [file, `:${INSIDE}`], `dd if=/dev/zero of=${INSIDE} bs=1M count=${SIZE_MIB} 2>/dev/null`],
    ['out', [`:${INSIDE}`, `${file}-back`], `dd if=${INSIDE} of=/dev/null bs=1M 2>/dev/null`],
  ] as const) {
    const bare = await samples(ROUNDS, () => timed(() => inside(floor)));
    const copied = await samples(ROUNDS, () => timed(() => sbx(['cp', '-q', ...args])));
    rows.push(rowOf(what, { bare: rateOf(bare), copied: rateOf(copied) }));
  }
  await inside(`rm -f ${INSIDE}`);
  rmSync(file);
  rmSync(`${file}-back`);
  return rows;
}

function rowOf(what: string, { bare, copied }: { bare: number; copied: number }): Row {
  return {
    what: `\`sbx cp\` of 1 GiB ${what === 'in' ? 'into a sandbox' : 'out of it'}`,
    unit: 'MB/s',
    value: copied,
    floor: { what: `the guest ${what === 'in' ? 'writes' : 'reads'} it on its own disk`, value: bare },
    heldTo: `≥ ${RATE_AT_LEAST} MB/s`,
    met: copied >= RATE_AT_LEAST,
    samples: ROUNDS,
  };
}

/** MB/s of the median */
function rateOf(ms: number[]): number {
  return (SIZE_MIB * MIB) / 1e6 / (median(ms) / 1000);
}

function fill(file: string): void {
  const fd = openSync(file, 'w', 0o600);
  const block = Buffer.alloc(MIB);
  for (let index = 0; index < SIZE_MIB; index += 1) writeSync(fd, randomFillSync(block));
  closeSync(fd);
}
