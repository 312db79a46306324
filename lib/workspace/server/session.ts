/** Answers the FUSE requests of one guest's kernel on a stream. */
import type { Duplex } from 'node:stream';
import type { Log } from '../../log.ts';
import type { Layer } from '../layer/layer.ts';
import { Backlog } from './backlog.ts';
import { AGAIN_MS, type Answer, Coherence, type CoherenceOptions } from './coherence/coherence.ts';
import { GuestEvents } from './coherence/guest-events.ts';
import { invalidationsOf } from './coherence/host-change.ts';
import { staleAll, stalePrivate } from './coherence/private-cache.ts';
import { dispatch } from './dispatch.ts';
import { DECODERS } from './fuse/decode.ts';
import { emptyReply, encodeError, OUT_HEADER_SIZE, type Reply, sealReply } from './fuse/encode.ts';
import { FrameReader, IN_HEADER_SIZE, type RequestHeader, readHeader } from './fuse/frames.ts';
import { encodeInit, type Negotiated, needsNoOpendir, negotiate, saysWhenPrivilegesEnd } from './fuse/init.ts';
import { encodeInvalidation, type Invalidation } from './fuse/notify.ts';
import { ANNOUNCE, expectsReply, OPCODES, PAUSED } from './fuse/opcodes.ts';
import { BodyReader } from './fuse/reader.ts';
import { Mailbox, type MailboxFile } from './mailbox.ts';
import { Pause } from './pause.ts';
import { restoreState, type SavedSession, saveState } from './saved.ts';
import { ERRNO, Errno } from './sys/errno.ts';
import { addRoots, createState, type ServerOptions, type ServerState } from './tables/state.ts';
import type { Volume } from './tables/volume.ts';
import { type TakenEntry, takeOut } from './take-out.ts';

/** Unexpected errors that are logged; a guest could cause any number of them */
const LOGGED_MAX = 100;

export interface SessionOptions extends ServerOptions {
  log: Log;
  /** Continues this session: the guest's kernel has mounted already, or mounts again, with INIT as the first request */
  saved?: SavedSession;
  /** Watches what the guest caches; it decides `lifetimes` and `keepCache` then. Default: nothing is watched */
  coherence?: CoherenceOptions;
  /** Takes large payloads past the stream; its owner closes the descriptor after the session */
  mailbox?: MailboxFile;
  /** Called when the guest's kernel has mounted */
  onMount?: () => void;
  /** Reading stops while requests of more than this wait; default 4 MiB */
  heldBytesMax?: number;
}

export interface Session extends Disposable {
  /** Resolves when the stream has ended or the guest broke the protocol, and everything is closed */
  readonly closed: Promise<void>;
  /** @returns what `saved` needs. Call it while the guest is paused, or after `pause`. */
  save(): SavedSession;
  /** No further request comes. False: after `waitMs` the guest still waited for a reply, or its relay knows of no pause */
  pause(waitMs: number): Promise<boolean>;
  /** Makes the guest's kernel drop what it caches. */
  invalidate(invalidation: Invalidation): void;
  /** Drops all that the kernel caches: other rules are in force. */
  invalidateAll(): void;
  /** The host's user has taken this entry of the private layer over. */
  takeOut(layer: Layer, entry: TakenEntry): void;
  /** As `invalidate`, for whatever the host changed at a path: names from the root, bytes as latin1 strings. */
  invalidatePath(root: string, names: string[]): void;
}

/** Serves `volume` on `stream` until it ends. The volume stays open: other sessions can share it. */
export function serve(stream: Duplex, volume: Volume, options: SessionOptions): Session {
  return new StreamSession(stream, createState(volume, options), options);
}

class StreamSession implements Session {
  readonly closed: Promise<void>;
  private readonly stream: Duplex;
  private readonly state: ServerState;
  private readonly log: Log;
  private readonly reader = new FrameReader();
  private readonly events: GuestEvents;
  private readonly coherence: Coherence | undefined;
  private readonly isCoherent: boolean;
  private readonly mailbox: Mailbox | undefined;
  private readonly onMount: (() => void) | undefined;
  private init: Negotiated | undefined;
  /** Nothing was asked yet since this session was saved */
  private isResumed: boolean;
  private readonly backlog: Backlog;
  private readonly paused = new Pause();
  private logged = 0;
  private ended = false;

  constructor(stream: Duplex, state: ServerState, options: SessionOptions) {
    const { log, saved, mailbox, onMount, coherence, heldBytesMax } = options;
    this.backlog = new Backlog(heldBytesMax);
    this.stream = stream;
    this.state = state;
    this.log = log;
    this.isCoherent = coherence !== undefined;
    if (saved === undefined) addRoots(state);
    else restoreState(state, saved);
    this.agreeOn(saved?.init);
    this.isResumed = saved !== undefined;
    this.onMount = onMount;
    const send = (invalidation: Invalidation) => this.invalidate(invalidation);
    this.events = new GuestEvents(state, (message) => this.send(message));
    const onEdits = this.events.add.bind(this.events);
    if (coherence !== undefined) this.coherence = new Coherence({ ...coherence, state, send, onEdits });
    this.closed = new Promise((resolve) => stream.once('close', resolve));
    stream.on('data', (chunk: Buffer) => {
      this.reader.push(chunk);
      this.pump();
    });
    stream.on('drain', () => this.pump());
    stream.on('error', (error) => log.warn(`workspace stream failed: ${error.message}`));
    stream.on('end', () => stream.destroy());
    stream.on('close', () => this[Symbol.dispose]());
    this.mailbox = mailbox === undefined ? undefined : new Mailbox(mailbox);
    if (this.mailbox !== undefined) this.send(Mailbox.offer());
    if (saved?.nodes.some(({ root }) => root === undefined)) this.drop(staleAll(state));
    // A socket whose greeting was read comes paused.
    stream.resume();
  }

  save(): SavedSession {
    return saveState(this.state, this.init);
  }

  pause(waitMs: number): Promise<boolean> {
    // Also names that the kernel remembers as missing, which no table has.
    this.invalidateAll();
    return this.paused.request((message) => this.send(message), waitMs);
  }

  invalidate(invalidation: Invalidation): void {
    if (this.init !== undefined && !this.ended) this.send(encodeInvalidation(invalidation));
  }

  invalidateAll(): void {
    this.coherence?.onOverflow();
    this.drop(stalePrivate(this.state));
  }

  takeOut(layer: Layer, entry: TakenEntry): void {
    this.drop(takeOut(this.state, layer, entry));
  }

  invalidatePath(root: string, names: string[]): void {
    for (const invalidation of invalidationsOf(this.state, root, names)) this.invalidate(invalidation);
  }

  /** Twice: the kernel may still be about to take in an answer from before. */
  private drop(invalidations: Invalidation[]): void {
    const send = () => {
      for (const one of invalidations) this.invalidate(one);
    };
    send();
    if (invalidations.length > 0) setTimeout(send, AGAIN_MS).unref();
  }

  [Symbol.dispose](): void {
    this.close();
    this.stream.destroy();
  }

  private close(): void {
    if (!this.ended) {
      this.coherence?.[Symbol.dispose]();
      this.state[Symbol.dispose]();
    }
    this.ended = true;
  }

  /** Answers what has arrived, as long as the guest takes the answers. */
  private pump(): void {
    this.stream.cork();
    process.nextTick(() => this.stream.uncork());
    try {
      while (!this.ended && !this.isFull) {
        const frame = this.reader.next();
        if (frame === undefined) break;
        this.answer(readHeader(frame), frame);
      }
    } catch (error) {
      this.end((error as Error).message);
    }
    if (this.isFull) this.stream.pause();
    else if (this.stream.isPaused()) this.stream.resume();
  }

  private get isFull(): boolean {
    return this.backlog.isFull(this.stream.writableLength);
  }

  private answer(header: RequestHeader, frame: Buffer): void {
    if (header.opcode === OPCODES.INIT) return void this.mount(header, frame);
    if (header.opcode === ANNOUNCE) return void this.events.announce(header.pid);
    if (header.opcode === PAUSED) return void this.paused.confirm();
    this.isResumed = false;
    if (this.init === undefined) this.end('a request came before INIT');
    else if (header.opcode === OPCODES.DESTROY) this.unmount(header);
    else this.run(header, frame);
  }

  private unmount(header: RequestHeader): void {
    this.reply(header, emptyReply());
    this.stream.end(() => this.stream.destroy());
    this.close();
  }

  private run(header: RequestHeader, frame: Buffer): void {
    try {
      const whole = this.mailbox?.collect(header.opcode, frame) ?? frame;
      const slotAt = this.mailbox?.slotFor(header.opcode, frame);
      const reply = this.perform(header, whole);
      if (slotAt !== undefined && this.mailbox !== undefined && Buffer.isBuffer(reply))
        this.replyBoxed(header, this.mailbox.deliver({ opcode: header.opcode, slotAt }, reply), reply.length);
      else if (reply instanceof Promise) void this.answerLater(header, reply, frame.length);
      else if (reply !== undefined) this.reply(header, reply);
    } catch (error) {
      this.replyError(header, error);
    }
  }

  private perform(header: RequestHeader, frame: Buffer): Answer {
    const repeated = this.events.answer(header, frame);
    if (repeated !== 'other') return repeated;
    const work = () => dispatch(this.state, header, frame);
    return this.coherence === undefined ? work() : this.coherence.run(header, frame, work);
  }

  private mount(header: RequestHeader, frame: Buffer): void {
    const agreed = negotiate(DECODERS.INIT(new BodyReader(frame, IN_HEADER_SIZE)));
    if (this.init !== undefined && !this.isResumed) return void this.end('a second INIT');
    this.isResumed = false;
    this.agreeOn(agreed === 'retry' ? undefined : agreed);
    if (agreed === undefined) return void this.end("the guest's FUSE version is not supported");
    this.reply(header, encodeInit(this.init));
    if (this.init !== undefined) this.onMount?.();
  }

  private agreeOn(init: Negotiated | undefined): void {
    this.init = init;
    this.state.saysWhenPrivilegesEnd = init !== undefined && saysWhenPrivilegesEnd(init);
    // What the kernel keeps until it is told otherwise needs watches.
    this.state.readsUnopened = init !== undefined && this.isCoherent && needsNoOpendir(init);
  }

  private async answerLater(header: RequestHeader, reply: Promise<Reply>, length: number): Promise<void> {
    this.backlog.hold(length);
    try {
      this.reply(header, await reply);
    } catch (error) {
      this.replyError(header, error);
    }
    if (this.backlog.release(length) && !this.ended) this.pump();
  }

  private reply({ unique }: RequestHeader, reply: Reply): void {
    if (!this.ended) this.send(sealReply(reply, unique));
  }

  private replyBoxed({ unique }: RequestHeader, reply: Reply, length: number): void {
    const message = sealReply(reply, unique);
    this.send(reply.length === length ? message : Mailbox.mark(message, length - OUT_HEADER_SIZE));
  }

  private replyError({ opcode, unique }: RequestHeader, error: unknown): void {
    if (!(error instanceof Errno) && ++this.logged <= LOGGED_MAX)
      this.log.error(`workspace request ${opcode} failed`, error);
    if (!expectsReply(opcode) || this.ended) return;
    this.send(encodeError(unique, error instanceof Errno ? error.errno : ERRNO.EIO));
  }

  private send(message: Buffer): void {
    this.backlog.addReply();
    this.stream.write(message, this.sent);
  }

  private readonly sent = (): void => {
    // A stream reports that it drained before it calls back: without this, nothing would resume the reading.
    if (this.backlog.removeReply()) this.pump();
  };

  private end(reason: string): void {
    this.log.warn(`workspace session ended: ${reason}`);
    this[Symbol.dispose]();
  }
}
