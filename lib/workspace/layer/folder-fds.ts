/** A bounded cache of open descriptors (O_PATH) of the layer's folders. Only its server changes a layer: a descriptor stays right while its folder exists. */
import { fail } from '../server/sys/errno.ts';
import { closeFd } from '../server/sys/files.ts';
import { O_DIRECTORY, O_PATH } from '../server/sys/flags.ts';
import { openAt } from '../server/sys/names.ts';
import type { LayerFolder } from './items.ts';

const MAX = 128;

export class FolderFds implements Disposable {
  readonly #top: LayerFolder;
  readonly #topFd: number;
  /** The least recently used first */
  readonly #cached = new Map<LayerFolder, number>();

  constructor(top: LayerFolder, topFd: number) {
    this.#top = top;
    this.#topFd = topFd;
  }

  /** @returns a descriptor that is valid until many more folders were asked for; @throws ESTALE for a folder that was removed */
  get(folder: LayerFolder): number {
    if (folder === this.#top) return this.#topFd;
    const known = this.#cached.get(folder);
    if (known !== undefined) {
      this.#cached.delete(folder);
      this.#cached.set(folder, known);
      return known;
    }
    const fd = this.#open(folder);
    const [oldest] = this.#cached.size >= MAX ? this.#cached.keys() : [];
    if (oldest !== undefined) this.forget(oldest);
    this.#cached.set(folder, fd);
    return fd;
  }

  forget(folder: LayerFolder): void {
    const fd = this.#cached.get(folder);
    if (fd === undefined) return;
    this.#cached.delete(folder);
    closeFd(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#cached.values()) closeFd(fd);
    this.#cached.clear();
  }

  /** One name after the other, none through a link. */
  #open(folder: LayerFolder): number {
    const names: string[] = [];
    let start = folder;
    while (start !== this.#top && !this.#cached.has(start)) {
      names.push(start.name);
      start = start.parent ?? fail('ESTALE');
    }
    let fd = this.#cached.get(start) ?? this.#topFd;
    for (const [index, name] of names.reverse().entries()) {
      const next = openAt(fd, name, O_PATH | O_DIRECTORY);
      if (index > 0) closeFd(fd);
      fd = next;
    }
    return fd;
  }
}
