/** The host's side of a copy: `put` sends a tree of the host into the guest, `get` extracts one of the guest as untrusted input. */
import { lstat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { SbxError } from '../../errors.ts';
import { extract } from '../copy/extract.ts';
import { Folder } from '../copy/folder.ts';
import { pack } from '../copy/pack.ts';
import { type CopyResult, MAX_SKIPPED } from '../copy/types.ts';
import { deferred } from '../protocol/deferred.ts';
import { Failure } from '../protocol/failure.ts';
import { CHANNEL, type GetRequest, type PutRequest } from '../protocol/messages.ts';
import type { MuxStream, StreamEvents } from '../protocol/mux.ts';
import { guestError, hostError, lostConnection, plainText } from './guest-error.ts';

export interface CopyOptions {
  /** File or folder; of the host for `put`, of the guest for `get` */
  from: string;
  /** In a folder that exists the copy keeps its own name. In the guest: absolute or below the user's home */
  to: string;
  /** Owner of the files written in the guest, and whose home relative paths start from; default `agent` */
  user?: string;
  signal?: AbortSignal;
}

/** A connection that can open a stream. */
export interface Opener {
  openRaw(service: string, body: unknown, events: StreamEvents): MuxStream;
}

/** @throws SbxError as the guest reported it, `refused-policy` when the path leads through a symbolic link, `guest-protocol`. */
export async function put(guest: Opener, options: CopyOptions): Promise<CopyResult> {
  const source = resolve(options.from);
  const name = basename(source);
  await using folder = await Folder.open(dirname(source)).catch(rethrow);
  if ((await folder.lstat(name)) === undefined) throw new SbxError('not-found', `there is no ${source}`);
  const body: PutRequest = { target: options.to, name, ...userOf(options) };
  const copy = openCopy(guest, 'put', body, options.signal);
  const packing = pack(folder, name);
  try {
    for (let next = await packing.next(); !copy.ended(); next = await packing.next()) {
      if (next.done === true) {
        copy.stream.end(CHANNEL.stdin);
        const result = await copy.result;
        return { ...result, skipped: [...next.value.skipped, ...result.skipped].slice(0, MAX_SKIPPED) };
      }
      await copy.stream.send(CHANNEL.stdin, next.value);
    }
    return await copy.result;
  } catch (error) {
    throw hostError(error);
  } finally {
    copy.cancel();
    await packing.return(undefined as never).catch(() => {});
  }
}

/** @throws as `put`; also `refused-policy` for an archive that `pack` cannot have made. */
export async function get(guest: Opener, options: CopyOptions): Promise<CopyResult> {
  const { into, name } = await destinationOf(options).catch(rethrow);
  await using folder = into;
  const body: GetRequest = { path: options.from, ...userOf(options) };
  const copy = openCopy(guest, 'get', body, options.signal);
  try {
    const written = extract(copy.output, { into: folder, name, trusted: false });
    const [extracted, reported] = await Promise.allSettled([written, copy.result]);
    if (extracted.status === 'rejected' && isRefusal(extracted.reason)) throw extracted.reason;
    // When the guest reports a failure, its archive ends early: the report says more than the error of the archive.
    if (reported.status === 'rejected') throw reported.reason;
    if (extracted.status === 'rejected') throw extracted.reason;
    return { ...extracted.value, skipped: [...reported.value.skipped, ...extracted.value.skipped] };
  } catch (error) {
    throw hostError(error);
  } finally {
    copy.cancel();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Failure && error.code === 'refused-policy';
}

async function destinationOf({ from, to }: CopyOptions): Promise<{ into: Folder; name: string }> {
  const target = resolve(to);
  const found = await lstat(target).catch(() => undefined);
  if (found?.isDirectory() !== true && !found?.isSymbolicLink() && !to.endsWith('/'))
    return { into: await Folder.open(dirname(target)), name: basename(target) };
  const name = basename(from);
  if (name === '' || name === '.' || name === '..')
    throw new SbxError('usage', `${from} has no name of its own`, {
      hint: 'name the target, not the folder it goes into',
    });
  return { into: await Folder.open(target), name };
}

interface Copy {
  stream: MuxStream;
  /** The guest's archive */
  output: PassThrough;
  /** The guest's own report */
  result: Promise<CopyResult>;
  ended(): boolean;
  cancel(): void;
}

function openCopy(guest: Opener, service: string, body: unknown, signal: AbortSignal | undefined): Copy {
  signal?.throwIfAborted();
  const output = new PassThrough();
  let ended = false;
  const { promise, resolve: succeed, reject } = deferred<CopyResult>();
  promise.catch(() => {});
  const finish = (work: () => void) => {
    ended = true;
    output.end();
    work();
  };
  const stream = guest.openRaw(service, body, {
    onData: (_channel, data, taken) => void output.write(data, () => taken()),
    onEnd: () => void output.end(),
    onControl: () => {},
    onClose: (report) =>
      finish(() => (isFailure(report) ? reject(guestError(report.error)) : succeed(resultOf(report)))),
    onReset: (reason) => finish(() => reject(lostConnection(reason))),
  });
  const cancel = (reason: unknown) => {
    signal?.removeEventListener('abort', onAbort);
    if (ended) return;
    stream.reset('the client cancelled the copy');
    finish(() => reject(reason));
  };
  const onAbort = () => cancel(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  // `extract` destroys its source when it refuses an entry: the guest need not continue.
  output.once('close', () => cancel(lostConnection('the copy was cancelled')));
  output.on('error', () => {});
  return {
    stream,
    output,
    result: promise,
    ended: () => ended,
    cancel: () => cancel(lostConnection('the copy was cancelled')),
  };
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

function userOf({ user }: CopyOptions): { user?: string } {
  return user === undefined ? {} : { user };
}

function rethrow(error: unknown): never {
  throw hostError(error);
}
