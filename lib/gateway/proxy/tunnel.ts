/** Serves CONNECT; on port 443 it dials only after the ClientHello has named the requested host. */

import { endWith } from '../http/socket-write.ts';
import { dialAdmitted } from '../request/active-request.ts';
import type { Admission } from '../request/admit.ts';
import { admitRequest } from '../request/admit-request.ts';
import { type Denial, denialBytes, RECORDED } from '../request/denial.ts';
import { explainInside, sendDenialInside, wantsDenialInside } from '../request/explain-inside.ts';
import { writeRecord } from '../request/listener-state.ts';
import { aboutOf, type Request } from '../request/request.ts';
import { pipeDownstream, pipeUpstream, splice } from '../request/splice.ts';
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
  if ('denial' in admitted) return sendDenial(request, admitted.denial);
  const inspected = state.enforcement.serverName && head.endpoint.kind === 'name';
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
    writeRecord(state, { ...aboutOf(request), verdict: 'deny', reason: 'server-name', detail: check.why });
    return endWith(client, check.tls ? UNRECOGNIZED_NAME : NOTHING);
  }
  const dialled = await withinEarlyBytes(request, dialAdmitted(request, admission));
  if ('denial' in dialled) {
    // The 200 has been sent already: without an explanation, closing is all that is left.
    if (!wantsDenialInside(head)) return void client.destroy();
    return client.destroyed ? undefined : explainInside(request, dialled.denial);
  }
  const { socket: upstream } = dialled.open.connection;
  const onOther = (why: string) => dialled.open.close('server-name', why);
  if (watchHellos({ client, upstream, host, early: reader.buffered, onOther })) splice(request, dialled.open);
  else client.destroy();
}

async function openTunnel(request: Request, admission: Admission, inspected: boolean): Promise<void> {
  const { client, reader, head, state } = request;
  const dialled = await withinEarlyBytes(request, dialAdmitted(request, admission));
  if ('denial' in dialled) return sendDenial(request, dialled.denial);
  client.write(ESTABLISHED);
  if (!inspected) return splice(request, dialled.open);
  pipeDownstream(request, dialled.open);
  if (reader.buffered.length === 0) await reader.more();
  const { host } = head.endpoint;
  const check = await checkServerName(reader, { host, required: false, ms: state.limits.headMs });
  if (check.ok || reader.buffered.length === 0) return pipeUpstream(request, dialled.open);
  dialled.open.close('server-name', check.why);
}

/** Buffers early client bytes up to the limit while `work` runs; a disconnect aborts it. */
async function withinEarlyBytes<T>(request: Request, work: Promise<T>): Promise<T> {
  const { client, reader, state, abort } = request;
  const stop = reader.readAhead(state.limits.earlyBytes, () => {
    const most = state.limits.earlyBytes;
    const detail = `more than ${most} bytes before the verdict`;
    writeRecord(state, { ...aboutOf(request), verdict: 'deny', reason: 'early-data', detail });
    abort.abort(RECORDED);
    client.destroy();
  });
  return work.finally(stop);
}

async function sendDenial(request: Request, denial: Denial): Promise<void> {
  const { client, head } = request;
  if (client.destroyed) return;
  // The redirector refuses the connection of its program when it gets no 200.
  if (wantsDenialInside(head) && denial.refused !== true) await sendDenialInside(request, denial);
  else endWith(client, denialBytes(denial, head, false));
}
