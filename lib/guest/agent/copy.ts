/** The guest's side of copies in both directions. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { extract } from '../copy/extract.ts';
import { Folder } from '../copy/folder.ts';
import { LaneReceiver } from '../copy/lane-receiver.ts';
import { LaneSender } from '../copy/lane-sender.ts';
import { pack } from '../copy/pack.ts';
import type { CopyResult } from '../copy/types.ts';
import { deferred } from '../protocol/deferred.ts';
import { Failure, failureJson } from '../protocol/failure.ts';
import { CHANNEL, type GetRequest, type PutRequest } from '../protocol/messages.ts';
import type { MuxStream, StreamEvents } from '../protocol/mux.ts';
import type { GuestMailbox, OpenLane } from './guest-mailbox.ts';
import { findUser, type User } from './process/users.ts';

export function put(stream: MuxStream, request: PutRequest, mailbox: GuestMailbox): StreamEvents {
  const archive = new PassThrough();
  archive.on('error', () => {});
  let receiver: LaneReceiver | undefined;
  const reset = deferred<void>();
  const work = async () => {
    await using lane = await openLane(request, mailbox);
    if (lane !== undefined)
      receiver = new LaneReceiver({ lane: lane.lane, output: archive, release: (slot) => stream.control(slot) });
    if (request.mailbox === true) stream.control({ lane: lane?.number ?? null });
    try {
      return await receive(archive, request);
    } catch (error) {
      // The host may be writing into the lane: another copy can have it once the host has answered.
      if (lane !== undefined) {
        stream.control({ error: failureJson(error) });
        await reset.promise;
      }
      throw error;
    } finally {
      await receiver?.drained();
    }
  };
  settle(stream, work());
  return {
    onData: (_channel, data, taken) => void archive.write(data, () => taken()),
    onEnd: () => void (receiver?.drained() ?? Promise.resolve()).then(() => archive.end()),
    onControl: (message) => receiver?.receive(message),
    onClose: () => {},
    onReset: (reason) => {
      archive.destroy(new Error(reason));
      reset.resolve();
    },
  };
}

export interface Sending {
  mailbox: GuestMailbox;
  /** Command of perl; empty: there is none */
  perl: string[];
}

export function get(stream: MuxStream, request: GetRequest, { mailbox, perl }: Sending): StreamEvents {
  let wanted = true;
  let sender: LaneSender | undefined;
  const work = async () => {
    await using lane = await openLane(request, mailbox);
    if (lane !== undefined) sender = new LaneSender(lane.lane, (slot) => stream.control(slot));
    if (request.mailbox === true) stream.control({ lane: lane?.number ?? null });
    const result = await send(request, {
      perl,
      pass: (piece) => sender?.send(piece) ?? stream.send(CHANNEL.stdout, piece),
      wanted: () => wanted,
    });
    await sender?.finish();
    return result;
  };
  settle(stream, work());
  return {
    onData: (_channel, _data, taken) => taken(),
    onEnd: () => {},
    onControl: (message) => sender?.release(message),
    onClose: () => {},
    onReset: () => {
      wanted = false;
      sender?.stop();
    },
  };
}

async function openLane(request: { mailbox?: true }, mailbox: GuestMailbox): Promise<OpenLane | undefined> {
  return request.mailbox === true ? mailbox.openLane() : undefined;
}

function settle(stream: MuxStream, work: Promise<CopyResult>): void {
  work.then(
    (result) => stream.close(result),
    (error: unknown) => stream.close({ error: failureJson(error) }),
  );
}

/** Links in the path of the target are followed here: inside the guest they cannot lead out of it. */
async function receive(archive: PassThrough, request: PutRequest): Promise<CopyResult> {
  const user = userOf(request.user);
  const target = resolve(user.home, request.target);
  const isFolder = (await stat(target).catch(() => undefined))?.isDirectory() === true;
  if (!isFolder && request.target.endsWith('/')) throw noFolder(target);
  const parent = isFolder ? target : dirname(target);
  const real = await realpath(parent).catch(() => {
    throw noFolder(parent);
  });
  await using into = await Folder.open(real);
  return await extract(archive, {
    into,
    name: isFolder ? request.name : basename(target),
    trusted: true,
    owner: { uid: user.uid, gid: user.gid },
  });
}

interface Consumer {
  perl: string[];
  pass: (piece: Buffer) => Promise<void>;
  wanted: () => boolean;
}

async function send(request: GetRequest, { perl, pass, wanted }: Consumer): Promise<CopyResult> {
  const path = resolve(userOf(request.user).home, request.path);
  const real = await realpath(path).catch(() => {
    throw new Failure('not-found', `there is no ${path} in the sandbox`);
  });
  if (real === '/')
    throw new Failure('usage', 'the root folder of a sandbox cannot be copied', { hint: 'copy a folder in it' });
  await using folder = await Folder.open(dirname(real));
  const packing = pack({ folder, name: basename(real), perl });
  try {
    for (;;) {
      const next = await packing.next();
      if (next.done === true) return next.value;
      await pass(next.value);
      if (!wanted()) throw new Failure('guest-failed', 'the copy was cancelled');
    }
  } finally {
    await packing.return(undefined as never);
  }
}

function userOf(name: string | undefined): User {
  const user = findUser(name ?? 'agent');
  if (user === undefined) throw new Failure('not-found', `no such user in the sandbox: ${name ?? 'agent'}`);
  return user;
}

function noFolder(path: string): Failure {
  return new Failure('not-found', `there is no folder ${path} in the sandbox`);
}
