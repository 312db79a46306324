/** Archives as a hostile guest would write them, and a place to unpack them into. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import tar from 'tar-stream';
import { afterEach, beforeEach, expect } from 'vitest';
import { type ExtractOptions, extract } from '../../../../lib/guest/copy/extract.ts';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { pack } from '../../../../lib/guest/copy/pack.ts';
import type { CopyResult, Header } from '../../../../lib/guest/copy/types.ts';

export interface Place {
  /** Everything is below it; the copy goes into `into` */
  readonly dir: string;
  readonly into: string;
  readonly outside: string;
}

/** A new one for each test of a file. */
export function usePlace(): Place {
  let dir = '';
  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-copy-')));
    for (const name of ['into', 'outside']) mkdirSync(join(dir, name));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  return {
    get dir() {
      return dir;
    },
    get into() {
      return join(dir, 'into');
    },
    get outside() {
      return join(dir, 'outside');
    },
  };
}

export type Entry = Header & { content?: string };

export const root: Entry = { name: './', type: 'directory' };
export const folder = (name: string): Entry => ({ name: `./${name}/`, type: 'directory' });
export const file = (name: string, content = 'evil'): Entry => ({ name: `./${name}`, type: 'file', content });
export const link = (name: string, linkname: string): Entry => ({ name: `./${name}`, type: 'symlink', linkname });

/** Checks that no file was created beside the copy. */
export function expectNothingOutside(place: Place): void {
  expect(readdirSync(place.outside)).toEqual([]);
  expect(readdirSync(place.dir).toSorted()).toEqual(['into', 'outside']);
  expect(readdirSync(place.into).filter((name) => name !== 'copy')).toEqual([]);
}

export async function archiveOf(entries: Entry[]): Promise<Buffer> {
  const archive = tar.pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) archive.entry(header);
    else archive.entry(header, content);
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function extractInto(
  into: string,
  archive: Buffer | Readable,
  options: Partial<ExtractOptions> = {},
): Promise<CopyResult> {
  await using folder = await Folder.open(into);
  const stream = archive instanceof Readable ? archive : Readable.from([archive]);
  return await extract(stream, { into: folder, name: 'copy', trusted: false, ...options });
}

export async function copy(from: string, name: string, into: string, options: Partial<ExtractOptions> = {}) {
  await using folder = await Folder.open(from);
  const packing = pack({ folder, name, perl: ['perl'] });
  return await extractInto(into, Readable.from(packing), options);
}

/** Every path with what it is, so that two trees compare as one value. */
export function treeOf(root: string, path = ''): Record<string, string> {
  const found = lstatSync(join(root, path));
  const mode = (found.mode & 0o7777).toString(8);
  const time = Math.floor(found.mtimeMs / 1000);
  if (found.isSymbolicLink()) return { [path]: `link ${readlinkSync(join(root, path))} ${time}` };
  if (found.isFile()) return { [path]: `file ${mode} ${time} ${readFileSync(join(root, path)).toString('base64')}` };
  return Object.assign(
    { [path]: `folder ${mode} ${time}` },
    ...readdirSync(join(root, path)).map((name) => treeOf(root, `${path}/${name}`)),
  );
}
