/** The stream of one copy: its archive comes and goes through a lane of the mailbox, or through the agent's port. */
import type { FileHandle } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { LANES, Lane, laneOf } from '../copy/lane.ts';
import { LaneReceiver } from '../copy/lane-receiver.ts';
import { LaneSender } from '../copy/lane-sender.ts';
import { type CopyResult, MAX_SKIPPED, type Meter } from '../copy/types.ts';
import { deferred } from '../protocol/deferred.ts';
import type { MuxStream, StreamEvents } from '../protocol/mux.ts';
import { guestError, lostConnection, plainText } from './guest-error.ts';

/** A connection that can open a stream. */
export interface Opener {
  openRaw(service: string, body: unknown, events: StreamEvents): MuxStream;
}

export interface CopyStreamOptions {
  service: 'put' | 'get';
  body: object;
  mailbox: FileHandle | undefined;
  signal: AbortSignal | undefined;
  meter: Meter | undefined;
}

export interface CopyStream {
  stream: MuxStream;
  /** The guest's archive */
  output: PassThrough;
  /** The guest's own report */
  result: Promise<CopyResult>;
  /** Resolves with the answer of the guest. Undefined: the archive goes through the port */
  sender(): Promise<LaneSender | undefined>;
  ended(): boolean;
  cancel(): void;
}

export function openCopy(guest: Opener, { service, body, mailbox, signal, meter }: CopyStreamOptions): CopyStream {
  signal?.throwIfAborted();
  const output = counted(meter);
  let ended = false;
  const { promise, resolve: succeed, reject } = deferred<CopyResult>();
  promise.catch(() => {});
  const link = linkOf({ service, mailbox, output, control: (message) => stream.control(message) });
  const finish = (work: () => void) => {
    ended = true;
    void link.close().then(() => output.end());
    work();
  };
  const stream = guest.openRaw(
    service,
    { ...body, ...(mailbox === undefined ? {} : { mailbox: true }) },
    {
      onData: (_channel, data, taken) => void output.write(data, () => taken()),
      onEnd: () => void link.drained().then(() => output.end()),
      onControl: (message) =>
        isFailure(message) ? cancel(guestError(message.error)) : attempt(() => link.onControl(message), cancel),
      onClose: (report) =>
        finish(() => (isFailure(report) ? reject(guestError(report.error)) : succeed(resultOf(report)))),
      onReset: (reason) => finish(() => reject(lostConnection(reason))),
    },
  );
  function cancel(reason: unknown): void {
    signal?.removeEventListener('abort', onAbort);
    if (ended) return;
    finish(() => reject(reason));
    // The guest gives the lane to the next copy once it knows: a write that is under way must not end after that.
    void link.settled().then(() => stream.reset('the client cancelled the copy'));
  }
  const onAbort = () => cancel(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  // `extract` destroys its source when it refuses an entry: the guest need not continue.
  output.once('close', () => cancel(lostConnection('the copy was cancelled')));
  output.on('error', () => {});
  return {
    stream,
    output,
    result: promise,
    sender: () => link.sender,
    ended: () => ended,
    cancel: () => cancel(lostConnection('the copy was cancelled')),
  };
}

interface LinkOptions {
  service: 'put' | 'get';
  mailbox: FileHandle | undefined;
  output: PassThrough;
  control: (message: unknown) => void;
}

/** Its lane begins with the first answer of the guest. */
function linkOf({ service, mailbox, output, control }: LinkOptions) {
  const answered = deferred<LaneSender | undefined>();
  let isAnswered = mailbox === undefined;
  let sender: LaneSender | undefined;
  let receiver: LaneReceiver | undefined;
  if (isAnswered) answered.resolve(undefined);
  const open = (message: unknown) => {
    isAnswered = true;
    const number = laneOf(message);
    if (number !== undefined && mailbox !== undefined) {
      const lane = new Lane({ file: mailbox, lane: number, buffer: Buffer.allocUnsafeSlow(LANES.slotBytes) });
      if (service === 'put') sender = new LaneSender(lane, control);
      else receiver = new LaneReceiver({ lane, output, release: control });
    }
    answered.resolve(sender);
  };
  const drained = () => receiver?.drained() ?? Promise.resolve();
  return {
    sender: answered.promise,
    drained,
    settled: () => sender?.settled() ?? Promise.resolve(),
    onControl(message: unknown) {
      if (!isAnswered) open(message);
      else if (sender === undefined) receiver?.receive(message);
      else sender.release(message);
    },
    close() {
      sender?.stop();
      answered.resolve(undefined);
      return drained();
    },
  };
}

function counted(meter: Meter | undefined): PassThrough {
  if (meter === undefined) return new PassThrough();
  return new PassThrough({
    transform(chunk: Buffer, _encoding, done) {
      meter.moved += chunk.length;
      done(null, chunk);
    },
  });
}

function attempt(work: () => void, onError: (error: unknown) => void): void {
  try {
    work();
  } catch (error) {
    onError(error);
  }
}

function isFailure(report: unknown): report is { error: unknown } {
  return typeof report === 'object' && report !== null && 'error' in report;
}

function resultOf(report: unknown): CopyResult {
  const { entries, bytes, skipped } = (report ?? {}) as Partial<CopyResult>;
  const list = Array.isArray(skipped) ? skipped.slice(0, MAX_SKIPPED) : [];
  return {
    entries: Number(entries) || 0,
    bytes: Number(bytes) || 0,
    skipped: list.map((one) => ({ name: plainText(one?.name) ?? '', why: plainText(one?.why) ?? '' })),
  };
}
