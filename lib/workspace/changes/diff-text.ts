/** Shows a private change against what the host has, as a unified diff where both are text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Folder } from '../../guest/copy/folder.ts';
import { tryGit } from '../clone/git.ts';
import { shownText } from '../clone/shown-text.ts';
import type { PrivateChange } from './read-layer.ts';

/** Longer files are shown by their sizes */
const FILE_MAX = 1024 * 1024;

export interface Sides {
  /** Of the layer */
  layer: Folder;
  /** The same folder on the host; undefined: it is gone */
  host: Folder | undefined;
}

/** Names are safe to show, contents are not. Empty: both sides are equal */
export async function diffText(change: PrivateChange, { layer, host }: Sides): Promise<string> {
  const { path, kind, size, files } = change;
  const shown = shownText(path);
  if (kind === 'removed') return `removed: ${shown}\n`;
  if (kind === 'special') return `special file: ${shown}\n`;
  if (kind === 'folder') return `folder: ${shown}${files === 0 ? '' : ` (${files} files, ${size} bytes)`}\n`;
  if (kind === 'link') return `link: ${shown} → ${shownText(await linkAt(layer, path))}\n`;
  const [before, after] = [host === undefined ? undefined : await contentAt(host, path), await contentAt(layer, path)];
  if (typeof before === 'number' || typeof after === 'number' || after === undefined)
    return `large file: ${shown} (${size} bytes)\n`;
  return unified(shown, before, after);
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

/** A number: its size, of a file that is too long. Undefined: there is no such file */
async function contentAt(root: Folder, path: string): Promise<Buffer | number | undefined> {
  return within(root, path, async (folder, name) => {
    if ((await folder.lstat(name))?.isFile() !== true) return undefined;
    await using file = await folder.openFile(name);
    const { size } = await file.stat();
    if (size > FILE_MAX) return size;
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  });
}

async function linkAt(root: Folder, path: string): Promise<string> {
  return (await within(root, path, (folder, name) => folder.linkTarget(name))) ?? '';
}

/** Follows no link on the way. Undefined: there is no such folder */
async function within<T>(
  root: Folder,
  path: string,
  work: (folder: Folder, name: string) => Promise<T>,
): Promise<T | undefined> {
  const [name = '', ...above] = path.split('/').toReversed();
  const opened: Folder[] = [];
  try {
    let folder = root;
    for (const one of above.toReversed()) {
      folder = await folder.enter(one);
      opened.push(folder);
    }
    return await work(folder, name);
  } catch {
    return undefined;
  } finally {
    for (const folder of opened) await folder[Symbol.asyncDispose]();
  }
}
