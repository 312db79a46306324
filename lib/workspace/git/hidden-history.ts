/** Finds hidden paths in the history that a clone would hold: a file that was ever committed cannot be left out of it. */
import { createInterface } from 'node:readline';
import { SbxError } from '../../errors.ts';
import { git } from './git.ts';
import { globMatcher } from './hide-match.ts';
import { shownText } from './shown-text.ts';
import { type CloneSource, revisionsOf } from './source.ts';

const SHOWN = 5;

/** @throws SbxError `workspace` that names the paths. Before anything is sent. */
export async function refuseHiddenHistory(source: CloneSource, hide: string[]): Promise<void> {
  if (hide.length === 0 || source.tips.length === 0) return;
  const matches = globMatcher(hide);
  const found = new Set<string>();
  await git(['-C', source.dir, 'rev-list', '--objects', ...revisionsOf(source)], {
    async onOutput(output) {
      for await (const line of createInterface({ input: output })) {
        const path = line.slice(line.indexOf(' ') + 1);
        if (line.includes(' ') && path !== '' && found.size < SHOWN && matches(path)) found.add(path);
      }
    },
  });
  if (found.size === 0) return;
  throw new SbxError('workspace', 'hidden files are in the history of the repository', {
    why: `${[...found].map(shownText).join(', ')}: a clone holds all of its history, so that they would not be hidden`,
    hint: 'remove the pattern from [workspace] hide if the sandbox may read them; or use mode = "mount"',
  });
}
