/** CONNECT. On port 443 nothing is dialled before the ClientHello has named the very host that was asked for. */

import { endWith } from '../http/socket-write.ts';
import { travel } from '../request/active-request.ts';
import type { Admission } from '../request/admit.ts';
import { admitRequest } from '../request/admit-request.ts';
import { RECORDED, type Refusal, refusalBytes } from '../request/denial.ts';
import { refuseInside, wantsInside } from '../request/explain-inside.ts';
import { note } from '../request/listener-state.ts';
import { aboutOf, type Request } from '../request/request.ts';
import { downstream, splice, upstreamOf } from '../request/splice.ts';
import { watchHellos } from '../tls/second-hello.ts';
import { checkServerName, UNRECOGNIZED_NAME } from '../tls/server-name.ts';
import { isIntercepted, serveIntercepted } from './intercept.ts';

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const HTTPS = 443;
const NOTHING = Buffer.alloc(0);

export async function serveTunnel(request: Request): Promise<void> {
  const { client, head, state } = request;
  if (isIntercepted(state, head.endpoint)) return serveIntercepted(request);
  const admitted = await withinEarlyBytes(request, admitRequest(request));
  if (client.destroyed) return;
  if ('refusal' in admitted) return refuse(request, admitted.refusal);
  const inspected = state.controls.serverName && head.endpoint.kind === 'name';
  if (inspected && head.endpoint.port === HTTPS) await tlsTunnel(request, admitted.admission);
  else await openTunnel(request, admitted.admission, inspected);
}

async function tlsTunnel(request: Request, admission: Admission): Promise<void> {
  const { client, state, reader, head } = request;
  client.write(ESTABLISHED);
  const { host } = head.endpoint;
  const check = await checkServerName(reader, { host, required: true, ms: state.limits.headMs });
  if (client.destroyed) return;
  if (!check.ok) {
    note(state, { ...aboutOf(request), verdict: 'deny', reason: 'server-name', detail: check.why });
    return endWith(client, check.tls ? UNRECOGNIZED_NAME : NOTHING);
  }
  const going = await withinEarlyBytes(request, travel(request, admission));
  // It was answered already, so there is no other word left than the end.
  if ('refusal' in going) return void client.destroy();
  const { socket: upstream } = going.travel.connection;
  const onOther = (why: string) => going.travel.close('server-name', why);
  if (watchHellos({ client, upstream, host, early: reader.held, onOther })) splice(request, going.travel);
  else client.destroy();
}

async function openTunnel(request: Request, admission: Admission, inspected: boolean): Promise<void> {
  const { client, reader, head, state } = request;
  const going = await withinEarlyBytes(request, travel(request, admission));
  if ('refusal' in going) return refuse(request, going.refusal);
  client.write(ESTABLISHED);
  if (!inspected) return splice(request, going.travel);
  downstream(request, going.travel);
  if (reader.held.length === 0) await reader.more();
  const { host } = head.endpoint;
  const check = await checkServerName(reader, { host, required: false, ms: state.limits.headMs });
  if (check.ok || reader.held.length === 0) return upstreamOf(request, going.travel);
  going.travel.close('server-name', check.why);
}

/** What the client sends before its turn is held, up to the limit; meanwhile its going away ends the work. */
async function withinEarlyBytes<T>(request: Request, work: Promise<T>): Promise<T> {
  const { client, reader, state, abort } = request;
  const stop = reader.readAhead(state.limits.earlyBytes, () => {
    const most = state.limits.earlyBytes;
    const detail = `more than ${most} bytes before the verdict`;
    note(state, { ...aboutOf(request), verdict: 'deny', reason: 'early-data', detail });
    abort.abort(RECORDED);
    client.destroy();
  });
  return work.finally(stop);
}

async function refuse(request: Request, refusal: Refusal): Promise<void> {
  const { client, head } = request;
  if (client.destroyed) return;
  if (wantsInside(head)) await refuseInside(request, refusal);
  else endWith(client, refusalBytes(refusal, head, false));
}
