/** Reads and cleans the folder where layers are built: live builders and leftovers of killed ones. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { isAlive, startTimeOf } from '../../system/process-identity.ts';

export interface Building {
  layer: { kind: string; key: string };
  parents: { kind: string; key: string }[];
}

/** Beside a builder's folder: what it builds, and on what */
export const BUILDING = '.building';

export async function readBuilding(temporary: string): Promise<Building[]> {
  const names = (await readdir(temporary)).filter((name) => name.endsWith(BUILDING) && builderLives(name));
  const texts = await Promise.all(names.map((name) => readFile(join(temporary, name), 'utf8').catch(() => '')));
  // One that has just been made is empty for a moment.
  return texts.flatMap((text) => (text === '' ? [] : [JSON.parse(text) as Building]));
}

export async function sweep(temporary: string, dryRun: boolean): Promise<{ name: string; bytes: number }[]> {
  const dead = await abandoned(temporary);
  const found = await Promise.all(dead.map(async (name) => ({ name, bytes: await bytesIn(join(temporary, name)) })));
  if (!dryRun) for (const { name } of found) await rm(join(temporary, name), { recursive: true, force: true });
  return found.filter(({ name }) => !name.endsWith(BUILDING));
}

/** Names of entries without a living builder. */
export async function abandoned(temporary: string): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => !builderLives(name));
}

/** `<what>.<pid>.<start time>…` */
function builderLives(name: string): boolean {
  const [, pid, startTime] = /\.(\d+)\.(\d+)/.exec(name) ?? [];
  return pid !== undefined && startTime !== undefined && isAlive({ pid: Number(pid), startTime });
}

/** Out of sight in one step, then gone. */
export async function discard(dir: string, temporary: string): Promise<void> {
  const trash = join(temporary, `discarded.${process.pid}.${startTimeOf(process.pid)}.${randomUUID()}`);
  try {
    await rename(dir, trash);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(trash, { recursive: true, force: true });
}

export async function bytesIn(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(dir, name)).then(
        (found) => (found.isFile() ? found.blocks * 512 : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
