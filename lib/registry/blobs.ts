/** Downloads a blob into a file: resumed after a cut, bounded, verified. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf, SbxError } from '../errors.ts';
import { refusal } from './answers.ts';
import type { Access, AuthorizedTransport } from './authorize.ts';
import { registryUrl } from './transport.ts';
import type { Descriptor } from './types.ts';

export interface BlobJob {
  access: Access;
  blob: Pick<Descriptor, 'digest' | 'size'>;
  /** The file to write; what an earlier attempt left there is used */
  target: string;
  /** Bytes written of this blob */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Milliseconds before the first resume */
  retryMs: number;
  signal?: AbortSignal | undefined;
}

/** Cuts in a row without one more byte */
const FRUITLESS_MAX = 5;
/** Cuts in all: a connection that gives a few bytes at a time is given up, too */
const CUTS_MAX = 100;

/** @throws SbxError `registry`; a file with wrong content is removed. */
export async function downloadBlob(transport: AuthorizedTransport, job: BlobJob): Promise<void> {
  const { target, blob, signal } = job;
  const file = await open(target, 'a', 0o600);
  try {
    const hash = createHash('sha256');
    let length = await hashStart(target, hash);
    if (length > blob.size) throw await wrong(job, `it is longer than the ${blob.size} bytes of its description`);
    let fruitless = 0;
    for (let cuts = 0; length < blob.size; cuts += 1) {
      const before = length;
      length = await append(transport, job, { file, hash, length });
      if (length > blob.size) throw await wrong(job, `it is longer than the ${blob.size} bytes of its description`);
      fruitless = length === before ? fruitless + 1 : 0;
      if (length === blob.size) break;
      if (fruitless >= FRUITLESS_MAX || cuts >= CUTS_MAX) throw cutOff(job, length);
      if (fruitless > 0) await pause(job.retryMs * 2 ** fruitless, undefined, { signal });
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== blob.digest) throw await wrong(job, `its content has the digest ${digest}`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function hashStart(path: string, hash: Hash): Promise<number> {
  let length = 0;
  for await (const part of createReadStream(path)) {
    hash.update(part as Buffer);
    length += (part as Buffer).length;
  }
  return length;
}

interface Partial {
  file: FileHandle;
  hash: Hash;
  length: number;
}

/** One request for the rest. @returns the new length, after the end or a cut */
async function append(transport: AuthorizedTransport, job: BlobJob, { file, hash, length }: Partial): Promise<number> {
  const { access, blob, signal } = job;
  const url = registryUrl(access.host, `/v2/${access.repository}/blobs/${blob.digest}`);
  // Compressed on the way, its bytes would not be those that the digest names.
  const headers = {
    'accept-encoding': 'identity',
    ...(length === 0 ? {} : { range: `bytes=${length}-${blob.size - 1}` }),
  };
  const answer = await transport(access, { method: 'GET', url, headers, signal });
  if (answer.status !== 200 && answer.status !== 206) throw await refusal(answer, `get ${blob.digest.slice(0, 19)}`);
  // A server without ranges begins again: what is there already is skipped.
  let skip = answer.status === 206 ? skipIn(answer.headers['content-range'], length) : length;
  let now = length;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const part = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - part.length;
      if (now + part.length > blob.size) {
        answer.body.destroy();
        return now + part.length;
      }
      await file.write(part);
      hash.update(part);
      now += part.length;
      job.onBytes?.(now);
    }
  } catch (error) {
    signal?.throwIfAborted();
    // A full disk is not a cut.
    if (errnoOf(error)?.startsWith('E') === true && !NETWORK.has(errnoOf(error) ?? '')) throw error;
  }
  return now;
}

const NETWORK: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENETUNREACH', 'EHOSTUNREACH']);

/** Bytes of the answer that are there already. @throws SbxError `registry` for a range that begins later */
function skipIn(range: string | string[] | undefined, length: number): number {
  const start = /^bytes (\d+)-/.exec(String(range))?.[1];
  if (start !== undefined && Number(start) <= length) return length - Number(start);
  throw new SbxError('registry', 'the registry answered with another range than it was asked for', {
    why: `bytes from ${length} were asked for, the answer has "${String(range).slice(0, 80)}"`,
  });
}

async function wrong({ access, blob, target }: BlobJob, why: string): Promise<SbxError> {
  await rm(target, { force: true });
  return new SbxError('registry', `${access.host} gave wrong content for ${blob.digest}`, {
    why,
    hint: 'the registry or a proxy on the way to it is damaged or manipulated: nothing of it is used',
  });
}

function cutOff({ access, blob }: BlobJob, length: number): SbxError {
  return new SbxError('registry', `the connection to ${access.host} was cut too often`, {
    why: `${length} of ${blob.size} bytes of ${blob.digest.slice(0, 19)} arrived`,
    hint: 'check the network, then retry',
  });
}
