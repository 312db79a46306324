/** Shows a private change against what the host has, as a unified diff where both are text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { tryGit } from '../git/git.ts';
import { shownText } from '../git/shown-text.ts';
import type { PrivateChange } from './read-layer.ts';
import { type ChangeVersion, contentAt, hashOf, isProgram, linkAt, type Sides } from './sides.ts';

export interface ShownChange {
  /** Names are safe to show, contents are not. Empty: both sides are equal */
  diff: string;
  /** What was compared, for `acceptChange`; absent: it cannot be taken over */
  version?: ChangeVersion;
}

export async function showChange(change: PrivateChange, { layer, host }: Sides): Promise<ShownChange> {
  const { path, kind, size, files } = change;
  const shown = shownText(path);
  const before = host === undefined ? undefined : await contentAt(host, path);
  if (kind === 'removed')
    return {
      diff: `removed: ${shown}\n`,
      // A folder or a link stays on the host: it is removed by hand.
      ...(before === 'large' || before === undefined ? {} : { version: { layer: null, host: hashOf(before) } }),
    };
  if (kind === 'special') return { diff: `special file: ${shown}\n` };
  if (kind === 'folder') return { diff: `folder: ${shown}${files === 0 ? '' : ` (${files} files, ${size} bytes)`}\n` };
  if (kind === 'link') return { diff: `link: ${shown} → ${shownText(await linkAt(layer, path))}\n` };
  const after = await contentAt(layer, path);
  if (before === 'large' || after === 'large' || after === undefined)
    return { diff: `large file: ${shown} (${size} bytes)\n` };
  const text = await unified(shown, before?.bytes, after.bytes);
  // What was not shown cannot be taken over.
  if (text === undefined) return { diff: `binary file: ${shown} (${size} bytes)\n` };
  const isNewProgram = before === undefined && isProgram(after);
  return {
    diff: isNewProgram ? `program: ${shown}\n${text}` : text,
    version: { layer: hashOf(after), host: hashOf(before) },
  };
}

/** Undefined: git takes one of them for binary. */
async function unified(shown: string, before: Buffer | undefined, after: Buffer): Promise<string | undefined> {
  if (before?.equals(after) === true) return '';
  const dir = mkdtempSync(join(tmpdir(), 'sbx-diff-'));
  try {
    writeFileSync(join(dir, 'a'), before ?? '', { mode: 0o600 });
    writeFileSync(join(dir, 'b'), after, { mode: 0o600 });
    const { stdout, stderr, code } = await tryGit([
      '-C',
      dir,
      'diff',
      '--no-index',
      '--no-ext-diff',
      '--no-textconv',
      '--no-color',
      '--',
      'a',
      'b',
    ]);
    if (code !== 0 && code !== 1)
      throw new SbxError('workspace', `${shown} cannot be shown`, { why: stderr.trim() || `git ended with ${code}` });
    const head = `--- ${before === undefined ? '/dev/null' : `a/${shown}`}\n+++ b/${shown}\n`;
    if (after.length === 0 && before === undefined) return head;
    const at = stdout.indexOf('\n@@');
    return at < 0 ? undefined : `${head}${stdout.slice(at + 1)}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
