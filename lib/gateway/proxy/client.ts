/** Serves one connection of the VM: sequential requests until one opens a tunnel. */
import type { Socket } from 'node:net';
import { readBytes } from '../http/byte-reader.ts';
import type { ListenerState } from '../request/listener-state.ts';
import { serveRequests } from '../request/request-loop.ts';
import { serveForward } from './http-forward.ts';
import { serveTunnel } from './tunnel.ts';

export function serveClient(client: Socket, state: ListenerState): Promise<void> {
  const reader = readBytes(client);
  return serveRequests({
    client,
    reader,
    state,
    parse: (bytes, seen) => state.enforcement.parseHead(bytes, seen),
    async serve(head, abort) {
      const purpose = head.method === 'CONNECT' ? 'tunnel' : 'http';
      const request = {
        state,
        client,
        reader,
        head,
        purpose,
        read: purpose === 'http',
        abort,
        began: performance.now(),
      } as const;
      if (purpose === 'http') return serveForward(request);
      await serveTunnel(request);
      return false;
    },
  });
}
