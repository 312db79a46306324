/** One inotify instance of the kernel, read without waiting. */
import { EventEmitter } from 'node:events';
import { ERRNO } from '../server/sys/errno.ts';
import { closeFd } from '../server/sys/files.ts';
import { O_CLOEXEC, O_NONBLOCK } from '../server/sys/flags.ts';
import { check, libc } from '../server/sys/libc.ts';
import { procPath } from '../server/sys/names.ts';

export const IN = {
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ISDIR: 0x4000_0000,
} as const;

const ONLYDIR = 0x0100_0000;
const WATCHED =
  ONLYDIR |
  IN.MODIFY |
  IN.ATTRIB |
  IN.CLOSE_WRITE |
  IN.MOVED_FROM |
  IN.MOVED_TO |
  IN.CREATE |
  IN.DELETE |
  IN.DELETE_SELF |
  IN.MOVE_SELF;

const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;

/** Of struct inotify_event, before its name */
const HEADER = 16;

export interface InotifyEvent {
  /** -1: events were lost */
  watch: number;
  mask: number;
  /** Joins the two events of a rename; 0 for others */
  cookie: number;
  /** Bytes as a latin1 string; empty for the folder itself */
  name: string;
}

/** The handler stays for the life of the process: without one, a signal that is still on its way would end it. */
const wake = new EventEmitter().setMaxListeners(0);
let isListening = false;

export class Inotify implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(64 * 1024);
  readonly #onReadable: () => void;

  /**
   * The kernel signals each event (SIGIO): no thread of the pool waits in a read, and nothing is polled.
   * @throws Errno EMFILE if this user has no instance left
   */
  constructor(onReadable: () => void) {
    this.#onReadable = onReadable;
    this.#fd = check(libc().inotify_init1(O_NONBLOCK | O_CLOEXEC));
    if (!isListening) process.on('SIGIO', () => wake.emit('readable'));
    isListening = true;
    wake.on('readable', this.#onReadable);
    check(libc().fcntl(this.#fd, F_SETOWN, process.pid));
    check(libc().fcntl(this.#fd, F_SETFL, O_NONBLOCK | O_ASYNC));
  }

  /**
   * Watches the folder of a descriptor itself, whatever lies at its path. @throws Errno ENOSPC without a watch left
   * @returns the number of the watch: the same one for a folder that is watched already
   */
  add(folderFd: number): number {
    return check(libc().inotify_add_watch(this.#fd, procPath(folderFd), WATCHED));
  }

  /** Removing one that the kernel has removed already is no error. */
  remove(watch: number): void {
    libc().inotify_rm_watch(this.#fd, watch);
  }

  /** @returns what has happened until now, in its order */
  read(): InotifyEvent[] {
    const events: InotifyEvent[] = [];
    for (;;) {
      const length = libc().read(this.#fd, this.#buffer, this.#buffer.length);
      if (length > 0) parse(this.#buffer.subarray(0, length), events);
      else if (libc().errno() === ERRNO.EAGAIN || length === 0) return events;
      else check(-1);
    }
  }

  [Symbol.dispose](): void {
    wake.off('readable', this.#onReadable);
    closeFd(this.#fd);
  }
}

function parse(bytes: Buffer, into: InotifyEvent[]): void {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 12);
    const field = bytes.subarray(at + HEADER, at + HEADER + length);
    const end = field.indexOf(0);
    into.push({
      watch: bytes.readInt32LE(at),
      mask: bytes.readUInt32LE(at + 4),
      cookie: bytes.readUInt32LE(at + 8),
      name: field.toString('latin1', 0, end < 0 ? length : end),
    });
    at += HEADER + length;
  }
}
