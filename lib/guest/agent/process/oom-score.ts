/**
 * A guest that runs out of memory ends what was started in it, not its agent. The agent's memory is not locked: its pages are read from the runtime
 * disk, never from the workspace, so that it waits for nothing that could wait for it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = '/proc/self/oom_score_adj';
const NEVER = '-1000';

interface Scores {
  own: string;
  commands: string;
}

let scores: Scores | undefined;

/** Spares this process, and what it starts from now on but for `unspared`. Without the right to do so, nothing happens. */
export function spareSelf(own: string = NEVER): void {
  try {
    const commands = readFileSync(FILE, 'utf8').trim();
    writeFileSync(FILE, own);
    scores = { own, commands };
  } catch {
    // Only root may; a test's agent is not.
  }
}

/** Starts a process of a user: it has the score of the moment at which it starts. */
export function unspared<T>(start: () => T): T {
  if (scores === undefined) return start();
  writeFileSync(FILE, scores.commands);
  try {
    return start();
  } finally {
    writeFileSync(FILE, scores.own);
  }
}
