/** Plain HTTP in the absolute form. */
import { answer } from './answers.ts';
import { readBytes } from './byte-reader.ts';
import { exchange } from './exchange.ts';
import { inspect } from './inspect.ts';
import { admitRequest, type Refusal, type Request, refusalBytes, travel } from './request.ts';
import { upstreamHead } from './request-head.ts';
import { endWith, writeAll } from './socket-write.ts';

/** True: the client's next request may follow. */
export async function servePlain(request: Request): Promise<boolean> {
  const { client, reader, head, state } = request;
  const admitted = await admitRequest(request);
  if ('refusal' in admitted) return refuse(request, admitted.refusal);
  const inspected = await inspect(request, false);
  if ('refusal' in inspected) return refuse(request, inspected.refusal);
  const going = await travel(request, admitted.admission);
  if ('refusal' in going) return refuse(request, going.refusal);
  const { connection, close } = going.travel;
  connection.socket.setTimeout(state.limits.idleMs, () => close('idle'));
  const onGone = () => close();
  client.once('close', onGone);
  if (client.destroyed) close();
  const upstream = connection.socket;
  const sent = upstreamHead(head, { proxy: connection.proxy, ...inspected });
  const end = await exchange({
    client,
    reader,
    head,
    upstream,
    answers: readBytes(upstream),
    sent,
    meters: state.meters,
  });
  client.off('close', onGone);
  if (end.done) {
    close();
    if (!end.keepAlive) endWith(client, Buffer.alloc(0));
    return end.keepAlive;
  }
  close(end.fault === 'client' ? 'bad-request' : 'upstream-failed', end.why);
  if (end.answered || client.destroyed) client.destroy();
  else endWith(client, answer({ status: end.fault === 'client' ? 400 : 502, text: `sbx: ${end.why}` }));
  return false;
}

export async function refuse({ client, head }: Request, refusal: Refusal): Promise<boolean> {
  if (client.destroyed) return false;
  const empty = head.body.kind === 'none' || (head.body.kind === 'length' && head.body.bytes === 0);
  const keepAlive = head.keepAlive && empty;
  const bytes = refusalBytes(refusal, head, keepAlive);
  if (keepAlive) await writeAll(client, [bytes]);
  else endWith(client, bytes);
  return keepAlive;
}
