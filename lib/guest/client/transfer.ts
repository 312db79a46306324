/** The host's side of a copy: `put` sends a tree of the host into the guest, `get` extracts one of the guest as untrusted input. */
import { lstat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { SbxError } from '../../errors.ts';
import { extract } from '../copy/extract.ts';
import { Folder } from '../copy/folder.ts';
import { pack } from '../copy/pack.ts';
import { type TotalOptions, totalSize } from '../copy/total-size.ts';
import { type CopyResult, MAX_SKIPPED, type Meter } from '../copy/types.ts';
import { Failure } from '../protocol/failure.ts';
import { CHANNEL, type GetRequest, type PutRequest } from '../protocol/messages.ts';
import { type Opener, openCopy } from './copy-stream.ts';
import { hostError } from './guest-error.ts';
import { openHostMailbox } from './host-mailbox.ts';

export interface CopyOptions {
  /** File or folder; of the host for `put`, of the guest for `get` */
  from: string;
  /** In a folder that exists the copy keeps its own name. In the guest: absolute or below the user's home */
  to: string;
  /** Owner of the files written in the guest, and whose home relative paths start from; default `agent` */
  user?: string;
  /** File of the sandbox's mailbox. Default: the copy goes through the agent's port */
  mailbox?: string | undefined;
  /** The copy ends with its reason: no file is left half written under its name */
  signal?: AbortSignal;
  meter?: Meter;
}

/** @throws SbxError as the guest reported it, `refused-policy` when the path leads through a symbolic link, `guest-protocol`. */
export async function put(guest: Opener, options: CopyOptions): Promise<CopyResult> {
  const source = resolve(options.from);
  const name = basename(source);
  await using folder = await Folder.open(dirname(source)).catch(rethrow);
  if ((await folder.lstat(name)) === undefined) throw new SbxError('not-found', `there is no ${source}`);
  const body: PutRequest = { target: options.to, name, ...userOf(options) };
  await using mailbox = await openHostMailbox(options.mailbox);
  const copy = openCopy(guest, { service: 'put', body, mailbox, signal: options.signal, meter: undefined });
  const packing = pack({ folder, name, perl: ['perl'] });
  const measured = new AbortController();
  const measuring = measure({ folder, name, signal: measured.signal }, options.meter);
  try {
    const sender = await copy.sender();
    for (let next = await packing.next(); !copy.ended(); next = await packing.next()) {
      if (next.done === true) {
        await sender?.flush();
        copy.stream.end(CHANNEL.stdin);
        const result = await copy.result;
        return { ...result, skipped: [...next.value.skipped, ...result.skipped].slice(0, MAX_SKIPPED) };
      }
      await (sender?.send(next.value) ?? copy.stream.send(CHANNEL.stdin, next.value));
      if (options.meter !== undefined) options.meter.moved += next.value.length;
    }
    return await copy.result;
  } catch (error) {
    // A report of the guest says more than the slot that it did not free.
    throw hostError(copy.ended() ? await copy.result.catch((reported: unknown) => reported) : error);
  } finally {
    copy.cancel();
    measured.abort();
    await measuring;
    await packing.return(undefined as never).catch(() => {});
  }
}

/** Beside the copy: a folder of many files takes a while. */
async function measure(options: TotalOptions, meter: Meter | undefined): Promise<void> {
  if (meter !== undefined) meter.total = await totalSize(options);
}

/** @throws as `put`; also `refused-policy` for an archive that `pack` cannot have made. */
export async function get(guest: Opener, options: CopyOptions): Promise<CopyResult> {
  const { into, name } = await destinationOf(options).catch(rethrow);
  await using folder = into;
  const body: GetRequest = { path: options.from, ...userOf(options) };
  await using mailbox = await openHostMailbox(options.mailbox);
  const copy = openCopy(guest, { service: 'get', body, mailbox, signal: options.signal, meter: options.meter });
  try {
    const written = extract(copy.output, { into: folder, name, trusted: false, meter: options.meter });
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

function userOf({ user }: CopyOptions): { user?: string } {
  return user === undefined ? {} : { user };
}

function rethrow(error: unknown): never {
  throw hostError(error);
}
