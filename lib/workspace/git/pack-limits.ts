/** Reads what a guest sends back, a commit's id and a pack, and ends it at its limits. */
import { type Readable, Transform } from 'node:stream';
import { SbxError } from '../../errors.ts';

export interface PackLimits {
  bytes: number;
  objects: number;
}

export const PACK_LIMITS: PackLimits = { bytes: 2 * 1024 ** 3, objects: 5_000_000 };

const PACK_HEADER = 12;
const LINE_MAX = 65;

/** The first line is the id of a commit, nothing else; what follows is the pack. @throws SbxError `workspace` */
export async function splitAnswer(output: Readable): Promise<{ commit: string; pack: Readable }> {
  let head = Buffer.alloc(0);
  const chunks = output[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  while (!head.includes(0x0a) && head.length <= LINE_MAX) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const end = head.indexOf(0x0a);
  const commit = head.subarray(0, Math.max(end, 0)).toString('latin1');
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(commit)) {
    output.destroy();
    throw refused('the sandbox sent no commit');
  }
  const { Readable: Stream } = await import('node:stream');
  const rest = head.subarray(end + 1);
  return { commit, pack: Stream.from(after(rest, chunks), { objectMode: false }) };
}

async function* after(first: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (;;) {
    const { value, done } = await chunks.next();
    if (done === true) return;
    yield value;
  }
}

/** Fails with SbxError `workspace` as soon as the pack is larger, or says that it holds more, than is allowed. */
export function limitPack(limits: PackLimits): Transform {
  let size = 0;
  let header = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (header.length < PACK_HEADER) header = Buffer.concat([header, chunk]).subarray(0, PACK_HEADER);
      const count = header.length === PACK_HEADER ? header.readUInt32BE(8) : 0;
      if (size > limits.bytes) done(refused(`it is larger than ${limits.bytes} bytes`));
      else if (count > limits.objects) done(refused(`it has ${count} objects, at most ${limits.objects} are taken`));
      else done(null, chunk);
    },
  });
}

export function refused(why: string): SbxError {
  return new SbxError('workspace', 'the work of the sandbox was refused', { why });
}
