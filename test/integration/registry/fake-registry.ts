/** A fake registry that is broken in a chosen way: no real one cuts connections or gives wrong content on demand. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface FakeRegistry extends AsyncDisposable {
  /** `localhost:<port>` */
  host: string;
  requests: { method: string; url: string; authorization: string | undefined; range: string | undefined }[];
}

export async function fakeRegistry(answer: Answer): Promise<FakeRegistry> {
  const requests: FakeRegistry['requests'] = [];
  const server = createServer((request, response) => {
    const { authorization, range } = request.headers;
    requests.push({ method: request.method ?? '', url: request.url ?? '', authorization, range });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `localhost:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const digestOf = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Sends the start of the rest that was asked for, and cuts the connection. */
export function cutAfter(content: Buffer, bytes: number): Answer {
  return (request, response) => {
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    response.write(rest.subarray(0, bytes), () => (rest.length > bytes ? response.destroy() : response.end()));
  };
}
