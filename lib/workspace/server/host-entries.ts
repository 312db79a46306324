/** Answers the policy's questions about the host's entries, each afresh and without following a link. */
import type { Layer } from '../layer/layer.ts';
import type { EntryKind, WorkspaceFacts } from '../policy/types.ts';
import { Errno, isErrno } from './sys/errno.ts';
import { closeFd } from './sys/files.ts';
import { openBeneath, statIfPresent } from './sys/names.ts';
import { bytesOfPath } from './sys/path-text.ts';
import { type FileKind, kindOfMode, type Stat } from './sys/stat.ts';
import type { Root } from './tables/volume.ts';

/** The policy's words for what the server's tables hold */
export const KINDS: Record<FileKind, EntryKind> = {
  file: 'file',
  directory: 'folder',
  symlink: 'link',
  other: 'other',
};
const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'] as const;

/** For one decision. The policy asks from the root downwards, so the folder of the last question is the way to the next one. */
export class HostEntries implements Disposable {
  readonly #root: Root;
  readonly #known = new Map<string, EntryKind | undefined>();
  #path = '';
  #fd: number;

  constructor(root: Root) {
    this.#root = root;
    this.#fd = root.fd;
  }

  /** @returns undefined if there is none; what cannot be found out counts as there, which protects more */
  entry(path: string): EntryKind | undefined {
    if (path === '') return 'folder';
    if (!this.#known.has(path)) this.#known.set(path, this.#look(bytesOfPath(path)));
    return this.#known.get(path);
  }

  /** @param path bytes as a latin1 string; @returns undefined if there is none, or if it cannot be found out */
  stat(path: string): Stat | undefined {
    const slash = path.lastIndexOf('/');
    try {
      return statIfPresent(this.#folder(path.slice(0, Math.max(0, slash))), path.slice(slash + 1));
    } catch (error) {
      if (error instanceof Errno) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#keep('', this.#root.fd);
  }

  #look(path: string): EntryKind | undefined {
    const slash = path.lastIndexOf('/');
    try {
      const stat = statIfPresent(this.#folder(path.slice(0, Math.max(0, slash))), path.slice(slash + 1));
      return stat === undefined ? undefined : KINDS[kindOfMode(stat.mode)];
    } catch (error) {
      if (error instanceof Errno && ABSENT.some((name) => isErrno(error, name))) return undefined;
      return 'other';
    }
  }

  #folder(path: string): number {
    if (path === this.#path) return this.#fd;
    if (path === '') return this.#root.fd;
    const isBelow = this.#path !== '' && path.startsWith(`${this.#path}/`);
    const from = isBelow ? this.#fd : this.#root.fd;
    this.#keep(path, openBeneath(from, isBelow ? path.slice(this.#path.length + 1) : path));
    return this.#fd;
  }

  #keep(path: string, fd: number): void {
    if (this.#fd !== this.#root.fd) closeFd(this.#fd);
    this.#path = path;
    this.#fd = fd;
  }
}

/** The entries of the host, and what the private layer holds, as the policy asks for them */
export function entriesOf(host: HostEntries, layer: Layer | undefined): Pick<WorkspaceFacts, 'entry' | 'layer'> {
  const entry = (path: string) => host.entry(path);
  return layer === undefined ? { entry } : { entry, layer: (path) => layer.held(bytesOfPath(path).split('/')) };
}
