/** The attacker's part of the tests: a walk without its controls, and a process that swaps a folder for a link. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync, readlinkSync } from 'node:fs';
import type { OpenFolder } from '../../../../lib/workspace/server/tables/volume.ts';

/** What the server does, without RESOLVE flags and without the check of the identity */
export const openFollowing: OpenFolder = ({ from, names }) =>
  openSync(`${readlinkSync(`/proc/self/fd/${from}`)}/${names.join('/')}`, constants.O_DIRECTORY);

interface Exchange {
  folder: string;
  /** A folder below it */
  one: string;
  /** A name beside it */
  other: string;
  /** Of the link that takes its place */
  target: string;
}

const SCRIPT = `
const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
const [folder, one, other, target] = process.argv.slice(1);
process.chdir(folder);
let count = 0;
process.on('message', () => process.send(count));
process.on('disconnect', () => process.exit());
(function swap() {
  renameSync(one, other);
  symlinkSync(target, one);
  unlinkSync(one);
  renameSync(other, one);
  count++;
  setImmediate(swap);
})();
`;

/** Swaps until it is disposed. */
export function exchanging({
  folder,
  one,
  other,
  target,
}: Exchange): AsyncDisposable & { count: () => Promise<number> } {
  const args = ['-e', SCRIPT, folder, one, other, target];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return {
    count: async () => {
      child.send('count');
      const [count] = await once(child, 'message');
      return count as number;
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
