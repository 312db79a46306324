/** Opens TLS to the guest, with a certificate of the requested host, and to that host, verified; both with HTTP/1.1. */
import type { Socket } from 'node:net';
import { checkServerIdentity, connect, type SecureContext, TLSSocket } from 'node:tls';
import type { Host } from '../address/canonical-host.ts';

const PROTOCOLS = ['http/1.1'];

/** `early`: client bytes read already. @throws if the client aborts the handshake or is too slow. */
export function secureClient(
  client: Socket,
  { early, context, ms }: { early: Buffer; context: SecureContext; ms: number },
): Promise<TLSSocket> {
  if (early.length > 0) client.unshift(early);
  const secure = new TLSSocket(client, { isServer: true, secureContext: context, ALPNProtocols: PROTOCOLS });
  return handshake(secure, 'secure', ms);
}

/** @throws if the certificate is untrusted or for another host; until then only the server name has been sent. */
export function secureUpstream(
  socket: Socket,
  { host, trust, verify, ms }: { host: Host; trust: SecureContext; verify: boolean; ms: number },
): Promise<TLSSocket> {
  const secure = connect({
    socket,
    secureContext: trust,
    ALPNProtocols: PROTOCOLS,
    rejectUnauthorized: verify,
    // An address is not sent as the server name, but the certificate must contain it.
    ...(host.kind === 'address' ? {} : { servername: host.host }),
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host.host, certificate),
  });
  return handshake(secure, 'secureConnect', ms);
}

function handshake(secure: TLSSocket, event: 'secure' | 'secureConnect', ms: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => secure.destroy(new Error('the TLS handshake was not complete in time')), ms);
    const fail = (error?: Error) => {
      clearTimeout(timer);
      secure.destroy();
      reject(error ?? new Error('the TLS handshake was aborted'));
    };
    const onClose = () => fail();
    // A half-open socket is not closed when the other side ends it.
    secure.once('error', fail).once('close', onClose).once('end', onClose);
    secure.once(event, () => {
      clearTimeout(timer);
      secure.off('error', fail).off('close', onClose).off('end', onClose);
      // Until its user listens, an error only destroys it.
      secure.on('error', () => secure.destroy());
      resolve(secure);
    });
  });
}
