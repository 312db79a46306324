/** Shows a private change against what the host has, as a unified diff where both are text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryGit } from '../git/git.ts';
import { shownText } from '../git/shown-text.ts';
import type { PrivateChange } from './read-layer.ts';
import { type ChangeVersion, contentAt, hashOf, linkAt, type Sides } from './sides.ts';

/** Longer files are shown by their sizes */
const FILE_MAX = 1024 * 1024;

export interface ShownChange {
  /** Names are safe to show, contents are not. Empty: both sides are equal */
  diff: string;
  /** What was compared, for `acceptChange`; absent: it cannot be taken over */
  version?: ChangeVersion;
}

export async function showChange(change: PrivateChange, { layer, host }: Sides): Promise<ShownChange> {
  const { path, kind, size, files } = change;
  const shown = shownText(path);
  const before = host === undefined ? undefined : await contentAt(host, path, FILE_MAX);
  if (kind === 'removed')
    return {
      diff: `removed: ${shown}\n`,
      ...(before === 'large' ? {} : { version: { layer: null, host: hashOf(before) } }),
    };
  if (kind === 'special') return { diff: `special file: ${shown}\n` };
  if (kind === 'folder') return { diff: `folder: ${shown}${files === 0 ? '' : ` (${files} files, ${size} bytes)`}\n` };
  if (kind === 'link') return { diff: `link: ${shown} → ${shownText(await linkAt(layer, path))}\n` };
  const after = await contentAt(layer, path, FILE_MAX);
  if (before === 'large' || after === 'large' || after === undefined)
    return { diff: `large file: ${shown} (${size} bytes)\n` };
  const version = { layer: hashOf(after), host: hashOf(before) };
  return { diff: await unified(shown, before?.bytes, after.bytes), version };
}

async function unified(shown: string, before: Buffer | undefined, after: Buffer): Promise<string> {
  if (before?.equals(after) === true) return '';
  const dir = mkdtempSync(join(tmpdir(), 'sbx-diff-'));
  try {
    writeFileSync(join(dir, 'a'), before ?? '', { mode: 0o600 });
    writeFileSync(join(dir, 'b'), after, { mode: 0o600 });
    const { stdout } = await tryGit([
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
    const from = before === undefined ? '/dev/null' : `a/${shown}`;
    const at = stdout.indexOf('\n@@');
    const body = at < 0 ? 'Binary files differ\n' : stdout.slice(at + 1);
    return `--- ${from}\n+++ b/${shown}\n${after.length === 0 && before === undefined ? '' : body}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
