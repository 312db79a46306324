import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRequestHead, type RequestHead, upstreamHead } from '../../../../lib/gateway/http/request-head.ts';

const head = (text: string): RequestHead | string => {
  const parsed = parseRequestHead(Buffer.from(text, 'latin1'));
  if (parsed === 'more') return 'more';
  return 'bad' in parsed ? parsed.bad : parsed.head;
};

describe('the head of a request', () => {
  test('is not whole until its empty line', () => {
    const text = 'GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\nrest';
    for (let size = 0; size < text.length - 4; size += 1) expect(head(text.slice(0, size))).toBe('more');
    expect(parseRequestHead(Buffer.from(text))).toMatchObject({ bytes: text.length - 4 });
  });

  test('reads the same in one piece and in drops', () => {
    const piece = fc.constantFrom(
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      '\0',
      'a',
      ':',
      ' ',
      'Host: h.test',
      'GET http://h.test/ HTTP/1.1',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''));
        let dropped: ReturnType<typeof parseRequestHead> = 'more';
        for (let size = 1; size <= bytes.length && dropped === 'more'; size += 1)
          dropped = parseRequestHead(bytes.subarray(0, size), size - 1);
        const whole = parseRequestHead(bytes);
        const kind = (one: typeof whole) => (one === 'more' ? 'more' : 'bad' in one ? 'bad' : one.bytes);
        // In drops the head may be whole before a wrong byte behind it is seen.
        if (kind(whole) !== 'bad' || kind(dropped) === 'more') expect(kind(dropped)).toBe(kind(whole));
      }),
    );
  });

  test('larger than 64 KiB is refused, whole or not', () => {
    const headers = `X: ${'a'.repeat(65_536)}`;
    expect(head(`GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n${headers}`)).toMatch('larger');
    expect(head(`GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n${headers}\r\n\r\n`)).toMatch('larger');
  });

  test('HTTP/1.0 needs no Host, keeps nothing alive, and has no chunks', () => {
    expect(head('GET http://h.test/ HTTP/1.0\r\n\r\n')).toMatchObject({ version: '1.0', keepAlive: false });
    expect(head('POST http://h.test/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n')).toMatch('chunked');
    expect(head('GET http://h.test/ HTTP/1.1\r\n\r\n')).toBe('no Host');
    expect(head('GET /x HTTP/1.1\r\nHost: h.test\r\n\r\n')).toMatch('absolute');
  });

  test('to a proxy of the host goes in the absolute form with its login', () => {
    const parsed = head('GET http://h.test:8080?x HTTP/1.1\r\nHost: h.test:8080\r\nProxy-Authorization: guest\r\n\r\n');
    if (typeof parsed === 'string') throw new Error(parsed);
    expect(upstreamHead(parsed, { proxy: { authorization: 'Basic host' } }).toString()).toBe(
      'GET http://h.test:8080/?x HTTP/1.1\r\nHost: h.test:8080\r\nProxy-Authorization: Basic host\r\nConnection: close\r\n\r\n',
    );
  });
});

describe('what we accept, an independent parser reads in the same way', () => {
  const name = fc.constantFrom(
    'Host',
    'host',
    'X-A',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Upgrade',
    'TE',
    'X A',
    'X:',
    '',
  );
  const value = fc.oneof(
    fc.constantFrom(
      'h.test',
      'evil.test',
      '5',
      '+5',
      '5, 5',
      '0',
      'chunked',
      'gzip, chunked',
      'close',
      'h2c',
      'a\r\n b',
      'a\nb',
      '\t x \t',
    ),
    fc.string({ maxLength: 8, unit: 'binary-ascii' }),
  );
  const field = fc.tuple(name, fc.constantFrom(': ', ':', ' : '), value).map((parts) => parts.join(''));
  const target = fc.constantFrom(
    'http://h.test/',
    'http://h.test/a?b',
    'http://u@h.test/',
    'http://h.test:80/',
    '/',
    '*',
    'http://h.test',
  );
  const line = fc
    .tuple(
      fc.constantFrom('GET', 'POST', 'PUT', 'FOO', 'get'),
      target,
      fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0'),
    )
    .map((parts) => parts.join(' '));
  const request = fc
    .tuple(line, fc.array(field, { maxLength: 4 }), fc.boolean())
    .map(([first, headers, host]) => `${[first, ...(host ? ['Host: h.test'] : []), ...headers].join('\r\n')}\r\n\r\n`);

  test('both of them, or we refuse', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(request, async (text) => {
        const ours = head(text);
        if (typeof ours === 'string' || !NODE_METHODS.has(ours.method)) return;
        accepted += 1;
        const again = upstreamHead(ours).toString('latin1');
        for (const [bytes, url] of [
          [text, undefined],
          [again, ours.target],
        ] as const) {
          const theirs = await readByNode(bytes);
          expect(theirs.method).toBe(ours.method);
          if (url !== undefined) expect(theirs.url).toBe(url);
          else expect(theirs.headers).toEqual(ours.headers.flat());
          expect(theirs.length).toBe(ours.body.kind === 'length' ? String(ours.body.bytes) : undefined);
          expect(theirs.encoding).toBe(ours.body.kind === 'chunked' ? 'chunked' : undefined);
        }
      }),
      { numRuns: 2_000, seed: 7 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});

const NODE_METHODS = new Set(['GET', 'POST', 'PUT']);

/** Node's own parser, fed without a socket. */
function readByNode(text: string) {
  const server = createServer();
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  return new Promise<{
    method?: string | undefined;
    url?: string | undefined;
    headers: string[];
    length?: string | undefined;
    encoding?: string | undefined;
  }>((resolve, reject) => {
    const take = ({ method, url, rawHeaders, headers }: IncomingMessage) => {
      socket.destroy();
      resolve({
        method,
        url,
        headers: rawHeaders,
        length: headers['content-length'],
        encoding: headers['transfer-encoding']?.toLowerCase(),
      });
    };
    server.on('request', take).on('upgrade', take).on('checkContinue', take);
    server.on('clientError', (error) => {
      socket.destroy();
      reject(new Error(`Node refuses ${JSON.stringify(text)}: ${error.message}`));
    });
    server.emit('connection', socket);
    socket.push(Buffer.from(text, 'latin1'));
  });
}
