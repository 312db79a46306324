import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { daemonPid, must, project } from '../harness.ts';
import { daemonMegabytes, leftovers } from './leftovers.ts';

export interface Rounds {
  toml: string;
  /** What is opened once and kept (a connection, a module) is not left over by a round */
  uncounted: number;
  counted: number;
}

/** Create, exec, rm, over and over. Fails when anything is there afterwards that was not before. */
export async function roundsLeaveNothing({ toml, uncounted, counted }: Rounds) {
  await using p = project('rounds', toml);
  const temporary = mkdtempSync(join(tmpdir(), 'sbx-rounds-tmp-'));
  const call = (args: string[]) => must(args, { cwd: p.dir, env: { TMPDIR: temporary } });
  const round = async () => {
    const from = performance.now();
    await call(['apply', '--yes']);
    expect((await call(['exec', '--', 'echo', 'round'])).stdout).toBe('round\n');
    await call(['rm', '--yes']);
    return Math.round(performance.now() - from);
  };
  try {
    // The next one's temporary files are where we look.
    await call(['daemon', 'stop']);
    for (let index = 0; index < uncounted; index += 1) await round();
    expect(readFileSync(`/proc/${daemonPid()}/environ`, 'utf8')).toContain(`TMPDIR=${temporary}\0`);
    const first = leftovers({ dir: p.dir, temporary });
    const memoryBefore = daemonMegabytes();
    const times: number[] = [];
    for (let index = 0; index < counted; index += 1) times.push(await round());
    const allowed = first.descriptors + 2;
    const look = () => {
      const { descriptors, ...rest } = leftovers({ dir: p.dir, temporary });
      return { ...rest, descriptors: Math.max(allowed, descriptors) };
    };
    // Of what has ended, the daemon hears a moment later.
    await expect.poll(look, { timeout: SETTLE_MS }).toEqual({ ...first, descriptors: allowed });
    return { times, memoryBefore, memoryAfter: daemonMegabytes() };
  } finally {
    await call(['daemon', 'stop']);
    rmSync(temporary, { recursive: true, force: true });
  }
}

const SETTLE_MS = 30_000;
