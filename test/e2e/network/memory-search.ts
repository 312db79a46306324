/** Searches the memory and disk of a sandbox, and its files on the host, for given words. */
import { createReadStream, existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf, instancePaths } from '../../../lib/paths.ts';
import { JAIL } from '../../../lib/vm/qemu/process/args.ts';
import { Qmp } from '../../../lib/vm/qemu/qmp.ts';
import { HOME } from '../harness.ts';

/** The words that the memory of the guest contains. QEMU itself writes it out, which works for any owner of its process. */
export async function inMemory(id: string, words: string[], bytes: number): Promise<string[]> {
  const { run, qmp: socket } = instancePaths(homeOf({ SBX_HOME: HOME }), id);
  const file = join(run, 'memory');
  try {
    await using qmp = await Qmp.open(socket, { deadlineMs: 30_000, alive: () => true });
    await qmp.execute('pmemsave', { val: 0, size: bytes, filename: `${JAIL.run}/memory` });
    return await inFile(file, words);
  } finally {
    rmSync(file, { force: true });
  }
}

export async function inFile(file: string, words: string[]): Promise<string[]> {
  const left = new Set(words);
  const longest = Math.max(...words.map(({ length }) => length));
  let tail = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 4 * 1024 * 1024 })) {
    const all = Buffer.concat([tail, chunk as Buffer]);
    for (const word of left) if (all.includes(word, 0, 'latin1')) left.delete(word);
    if (left.size === 0) break;
    tail = all.subarray(-longest);
  }
  return words.filter((word) => !left.has(word));
}

/** Every file below, less those that `skip` names. */
export function filesBelow(dir: string, skip: (path: string) => boolean): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (skip(path)) return [];
    const stat = lstatSync(path);
    return stat.isDirectory() ? filesBelow(path, skip) : stat.isFile() ? [path] : [];
  });
}
