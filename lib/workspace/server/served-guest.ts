/** Serves one guest for as long as it exists: through the loss of its connection, and of the server itself. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import writeFileAtomic from 'write-file-atomic';
import type { Log } from '../../log.ts';
import { connectRelay } from './link.ts';
import type { MailboxFile } from './mailbox.ts';
import type { SavedSession } from './saved.ts';
import { type Session, type SessionOptions, serve } from './session.ts';
import type { Volume } from './tables/volume.ts';

export interface GuestOptions extends Omit<SessionOptions, 'log' | 'saved' | 'mailbox' | 'onMount'> {
  /** Socket of the guest's virtio port */
  link: string;
  /** File of the guest's mailbox; undefined: there is none */
  mailbox?: string;
  /** What the next server needs to take the guest over (JSON) */
  stateFile: string;
  log: Log;
}

/** The ids of a server that was lost are never given again: a server would have to give a million a second. */
const IDS_PER_SECOND = 2 ** 20;
const PAUSE_MS = 20;
/** How long a guest may take to end what it has begun, before what it waits for fails */
const SUSPEND_MS = 5_000;
const SLOT_BYTES = 1 << 20;

export class ServedGuest implements AsyncDisposable {
  readonly #volume: Volume;
  readonly #options: GuestOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #session: Session | undefined;

  constructor(volume: Volume, options: GuestOptions) {
    this.#volume = volume;
    this.#options = options;
    this.#ended = this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) options.log.error('a workspace is served no more', error);
    });
  }

  /** Undefined while no guest is connected */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Writes down what the guest has open, for the server that resumes it, and serves it no longer. Its VM MUST run: the relay ends what it has begun. */
  async suspend(): Promise<void> {
    const session = this.#session;
    if (session !== undefined) {
      if (!(await session.pause(SUSPEND_MS))) this.#options.log.warn('a guest is suspended while it waits for a reply');
      this.#write(session.save());
    }
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#session?.[Symbol.dispose]();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { link, log, stateFile, mailbox: file, ...options } = this.#options;
    for (;;) {
      const stream = await connectRelay(link, { signal: this.#stop.signal });
      const saved = readTakeover(stateFile);
      const mailbox = file === undefined ? undefined : openMailbox(file);
      const session = serve(stream, this.#volume, {
        ...options,
        log,
        ...(saved === undefined ? {} : { saved }),
        ...(mailbox === undefined ? {} : { mailbox }),
        onMount: () => this.#keep(session),
      });
      this.#session = session;
      // Its ids are given again from here on: a server that is lost must not continue with them.
      if (saved?.isSuspended) this.#keep(session);
      if (this.#stop.signal.aborted) session[Symbol.dispose]();
      await session.closed;
      this.#session = undefined;
      if (mailbox !== undefined) closeSync(mailbox.fd);
      // A guest that breaks the protocol at once does not keep the host busy.
      await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal });
    }
  }

  /** Only what cannot be found again: how the kernel mounted, and its ids of the root folders. */
  #keep(session: Session): void {
    const { version, init, nodes } = session.save();
    const roots = nodes.filter(({ root }) => root !== undefined);
    this.#write({ version, init, nodes: roots });
  }

  #write(state: object): void {
    writeFileAtomic.sync(this.#options.stateFile, JSON.stringify(state), { mode: 0o600 });
  }
}

/** Undefined: without it everything goes through the port. QEMU may write in that folder: a link is not followed, and nothing but a file is opened. */
function openMailbox(path: string): MailboxFile | undefined {
  try {
    const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    const stat = fstatSync(fd);
    const slots = Math.min(256, Math.floor(stat.size / SLOT_BYTES));
    if (stat.isFile() && slots > 0) return { fd, slots, slotBytes: SLOT_BYTES };
    closeSync(fd);
  } catch {
    // There is none.
  }
  return undefined;
}

/**
 * The guest's kernel finds files under new ids by itself, when an old one is unknown (ESTALE); what was open answers EBADF.
 * A damaged file is none: then only a new mount can be served.
 */
function readTakeover(file: string): (SavedSession & { isSuspended?: boolean }) | undefined {
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as SavedSession;
    const { version, init, nodes } = saved;
    if (version !== 1 || init === undefined || !Array.isArray(nodes)) return undefined;
    if (saved.handles !== undefined) return { ...saved, isSuspended: true };
    const next = Math.floor(Date.now() / 1000) * IDS_PER_SECOND;
    return { version, init, nodes, nextNode: next, nextHandle: next, handles: [], owners: [] };
  } catch {
    return undefined;
  }
}
