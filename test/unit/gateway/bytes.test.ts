import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lineOf, openAudit } from '../../../lib/gateway/audit.ts';
import { OneBody } from '../../../lib/gateway/body.ts';
import { HELLO_MAX, parseClientHello } from '../../../lib/gateway/client-hello.ts';
import { HEAD_MAX, parseRequestHead, type RequestHead, upstreamHead } from '../../../lib/gateway/request-head.ts';
import type { AuditRecord } from '../../../lib/gateway/types.ts';
import { clientHello } from '../../integration/gateway/door-rig.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function headOf(text: string): RequestHead {
  const parsed = parseRequestHead(latin1(text));
  if (parsed === 'more' || 'bad' in parsed) throw new Error(JSON.stringify(parsed));
  return parsed.head;
}

describe('request heads', () => {
  const get = (fields: string, target = 'http://api.ok.test/') => `GET ${target} HTTP/1.1\r\n${fields}\r\n`;
  const host = 'Host: api.ok.test\r\n';
  test.each([
    ['30 CL and TE', get(`${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n`)],
    ['30 TE and CL', get(`${host}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n`)],
    ['30 CL twice', get(`${host}Content-Length: 1\r\ncontent-length: 1\r\n`)],
    ['30 CL list', get(`${host}Content-Length: 1, 1\r\n`)],
    ['30 CL sign', get(`${host}Content-Length:+1\r\n`)],
    ['30 CL hex', get(`${host}Content-Length: 0x1\r\n`)],
    ['30 CL empty', get(`${host}Content-Length: \r\n`)],
    ['30 CL huge', get(`${host}Content-Length: 99999999999999999999\r\n`)],
    ['30 obs-fold', get(`${host}X: 1\r\n\t2\r\n`)],
    ['30 space before the colon', get(`${host}Content-Length : 1\r\n`)],
    ['30 bare LF', get(`${host}X: 1\nY: 2\r\n`)],
    ['30 bare CR', get(`${host}X: 1\rY: 2\r\n`)],
    ['30 vertical tab', get(`${host}X: 1\x0b2\r\n`)],
    ['30 no colon', get(`${host}X\r\n`)],
    ['30 empty name', get(`${host}: x\r\n`)],
    ['31 TE list', get(`${host}Transfer-Encoding: gzip, chunked\r\n`)],
    ['31 TE twice', get(`${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n`)],
    ['31 TE odd', get(`${host}Transfer-Encoding: xchunked\r\n`)],
    ['31 two Host', get(`${host}${host}`)],
    ['31 no Host', get('')],
    ['22 another Host', get('Host: evil.test\r\n')],
    ['22 another port', get('Host: api.ok.test:81\r\n')],
    ['32 h2c in a list', get(`${host}Upgrade: websocket, H2C\r\n`)],
    ['33 Connection names the length', get(`${host}Connection: close, Content-Length\r\nContent-Length: 5\r\n`)],
    ['33 Connection names the coding', get(`${host}Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n`)],
    ['10 user part', get(host, 'http://u@api.ok.test/')],
    ['10 backslash', get(host, 'http://api.ok.test\\@evil.test/')],
    ['10 fragment', get(host, 'http://api.ok.test/#x')],
    ['10 a relative target', get(host, '/')],
    ['10 another scheme', get(host, 'https://api.ok.test/')],
    ['two spaces', 'GET  http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\n\r\n'],
    ['32 HTTP/2', 'PRI * HTTP/2.0\r\n\r\n'],
    ['HTTP/0.9', 'GET http://api.ok.test/\r\n\r\n'],
    ['HTTP/1.1x', 'GET http://api.ok.test/ HTTP/1.1x\r\nHost: api.ok.test\r\n\r\n'],
    ['31 CONNECT with a length', 'CONNECT api.ok.test:443 HTTP/1.1\r\nContent-Length: 4\r\n\r\n'],
    ['31 CONNECT with chunks', 'CONNECT api.ok.test:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['3 NUL', 'CONNECT evil.test\0.wild.test:443 HTTP/1.1\r\n\r\n'],
    ['an empty first line', '\r\n\r\n'],
  ])('%s is refused', (_name, text) => {
    expect(parseRequestHead(latin1(text))).toHaveProperty('bad');
  });

  test('any split of a head reads like the whole, and no prefix of it is a request', () => {
    const whole = latin1(`${get(host)}tail`);
    for (let at = 0; at < whole.length - 4; at += 1) {
      const parsed = parseRequestHead(whole.subarray(0, at));
      expect(parsed, String(at)).toBe('more');
    }
    expect(parseRequestHead(whole)).toMatchObject({ bytes: whole.length - 4 });
  });

  test('27 a head that never ends is refused at its limit', () => {
    expect(parseRequestHead(Buffer.alloc(HEAD_MAX, 'a'))).toBe('more');
    expect(parseRequestHead(Buffer.alloc(HEAD_MAX + 1, 'a'))).toHaveProperty('bad');
  });

  test('33 what goes upstream has one Host, one framing and nothing of this hop; other bytes stay', () => {
    const sent = upstreamHead(
      headOf(
        get(
          'hOsT: API.ok.test.\r\nConnection: authorization, X-Api-Key\r\nConnection: host\r\nAuthorization: a\r\nx-api-key: b\r\nTE: trailers\r\nProxy-Connection: close\r\nUpgrade: websocket\r\nX-Raw: \xe9\r\n',
          'http://API.ok.test./a/..;/%2e%2e//%5c?q',
        ),
      ),
    );
    expect(sent).toBe(
      'GET /a/..;/%2e%2e//%5c?q HTTP/1.1\r\nHost: api.ok.test\r\nX-Raw: \xe9\r\nConnection: close\r\n\r\n',
    );
  });

  test('random heads: no crash; what is accepted names one canonical endpoint and survives its own rewriting', () => {
    const piece = fc.constantFrom(
      ...['GET ', 'CONNECT ', 'http://', 'api.ok.test', ':443', '/', ' HTTP/1.1', '\r\n', '\n', ': ', 'Host', '\0'],
      ...['Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: ', '\t', '%', '@', '[::1]', '\xff'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const parsed = parseRequestHead(latin1(`${pieces.join('')}\r\n\r\n`));
        if (parsed === 'more' || 'bad' in parsed || parsed.head.method === 'CONNECT') return;
        const { endpoint } = parsed.head;
        const again = upstreamHead(parsed.head).replace(' /', ` http://${endpoint.host}:${endpoint.port}/`);
        expect(headOf(again)).toMatchObject({ endpoint, body: parsed.head.body });
      }),
      { numRuns: 3_000, seed: 7 },
    );
  });
});

describe('bodies', () => {
  async function through(kind: RequestHead['body'], chunks: Buffer[]): Promise<string> {
    const body = new OneBody(kind);
    const out: Buffer[] = [];
    let failed = '';
    body.on('data', (chunk: Buffer) => out.push(chunk));
    body.on('error', (error) => {
      failed = `!${error.message}`;
    });
    for (const chunk of chunks) if (!body.destroyed) body.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
    return failed || Buffer.concat(out).toString('latin1');
  }

  test('exactly one body passes, however it is cut', async () => {
    const chunked = '3\r\nabc\r\n0\r\nX: y\r\n\r\n';
    const cases: [RequestHead['body'], string][] = [
      [{ kind: 'none' }, ''],
      [{ kind: 'length', bytes: 5 }, 'hello'],
      [{ kind: 'chunked' }, chunked],
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...cases), fc.integer({ min: 1, max: 40 }), async ([kind, text], size) => {
        const all = latin1(`${text}GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n`);
        const cut = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
          all.subarray(at * size, at * size + size),
        );
        expect(await through(kind, cut)).toBe(text);
      }),
    );
  });

  test.each([
    '3;x=y\r\nabc',
    '+3\r\n',
    '3 \r\n',
    '0x3\r\n',
    '3\nabc',
    '\r\n',
    '123456789\r\n',
    '3\r\nabcX\r\n',
    '-1\r\n',
  ])('30 malformed chunk %j', async (text) => {
    expect(await through({ kind: 'chunked' }, [latin1(text)])).toBe('!a malformed chunk');
  });
});

describe('ClientHello', () => {
  const records = (message: Buffer, size: number) =>
    Buffer.concat(
      Array.from({ length: Math.ceil(message.length / size) }, (_, at) => {
        const part = message.subarray(at * size, at * size + size);
        return Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
      }),
    );

  test('23 any cut into records or segments reads the same name; no prefix reads a name', () => {
    const hello = clientHello('api.ok.test');
    for (let size = 1; size < 90; size += 1)
      expect(parseClientHello(records(hello.subarray(5), size)), String(size)).toEqual({ sni: 'api.ok.test' });
    for (let at = 0; at < hello.length; at += 1)
      expect(parseClientHello(hello.subarray(0, at)), String(at)).toBe('more');
  });

  test('23 no name, two names, a truncated or oversized hello', () => {
    expect(parseClientHello(clientHello(undefined))).toEqual({ sni: undefined });
    const big = Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0]);
    expect(parseClientHello(big)).toHaveProperty('bad');
    expect(parseClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0])]))).toHaveProperty('bad');
    for (const text of ['SSH-2.0-x', 'GET / HTTP/1.1', '\x80\x2e\x01', '\x15\x03\x01\0\x02\x02\x28'])
      expect(parseClientHello(latin1(text))).toHaveProperty('bad');
    expect(parseClientHello(Buffer.from([22, 3, 1, 0, 0]))).toHaveProperty('bad');
  });

  test('a hello in tens of thousands of tiny records costs little', () => {
    const tiny = records(Buffer.concat([Buffer.from([1, 0, 0xff, 0xf0]), Buffer.alloc(HELLO_MAX - 16)]), 1);
    const began = performance.now();
    for (let size = 6; size < 69_632; size += 700) parseClientHello(tiny.subarray(0, size));
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test('a hello with bytes changed at random never throws', () => {
    const hello = clientHello('api.ok.test');
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), fc.nat(hello.length - 1), fc.nat(255), (a, x, b, y) => {
        const changed = Buffer.from(hello);
        changed[a] = x;
        changed[b] = y;
        expect(() => parseClientHello(changed)).not.toThrow();
      }),
      { numRuns: 3_000, seed: 1 },
    );
  });
});

describe('the audit log', () => {
  const record: AuditRecord = {
    time: 't',
    sandbox: 's',
    verdict: 'deny',
    reason: 'default-deny',
    host: 'evil.test',
    port: 443,
  };
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-audit-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test('37 any text in any field gives one printable line of at most 4 KiB that parses', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\r\n{"verdict":"allow"}',
        '\x1b[2J',
        '\u009b31m',
        '\u2028',
        '\ud800',
        '"\\',
        'x'.repeat(1 << 20),
      ),
      fc.constantFrom('\x1b'.repeat(5000), '\u0085'.repeat(5000)),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (host, path, method, text) => {
        const line = lineOf({ ...record, host, path, method, rule: { text, file: text } });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        expect(line.length).toBeLessThanOrEqual(4096);
        expect(JSON.parse(line)).toMatchObject({ verdict: 'deny', port: 443 });
      }),
    );
  });

  test('a long text of the guest in a rule does not push out the rest of the record', () => {
    const line = lineOf({ ...record, method: 'CONNECT', rule: { text: 'x'.repeat(60_000) } });
    expect(JSON.parse(line)).toMatchObject({ method: 'CONNECT', rule: { text: expect.stringMatching(/^x+…$/) } });
  });

  test('38 a log that cannot be opened or written is known before the first record', () => {
    for (const path of ['/dev/full', join(dir, 'missing', 'audit'), dir]) {
      const audit = openAudit(path);
      expect(audit.ready(), path).toBe(false);
      expect(audit.write(record)).toBe(false);
      expect(audit.ready()).toBe(false);
      audit.close();
    }
  });

  test('38 it is ready again when it can be written again, and each line parses', () => {
    const path = join(dir, 'later', 'audit');
    const audit = openAudit(path);
    expect(audit.ready()).toBe(false);
    mkdirSync(join(dir, 'later'));
    expect(audit.ready()).toBe(true);
    expect(audit.write(record)).toBe(true);
    audit.close();
    const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    expect(lines.map((line) => JSON.parse(line))).toEqual([record]);
  });

  test('a full file is kept as .1; when that cannot be, nothing is written, also not into a file that took its number', () => {
    const path = join(dir, 'audit');
    writeFileSync(path, 'x'.repeat(8 * 1024 * 1024));
    const kept = openAudit(path);
    expect(kept.write(record)).toBe(true);
    expect(statSync(`${path}.1`).size).toBe(8 * 1024 * 1024);
    kept.close();

    const stuck = join(dir, 'stuck');
    writeFileSync(stuck, 'x'.repeat(8 * 1024 * 1024));
    mkdirSync(join(`${stuck}.1`, 'x'), { recursive: true });
    const audit = openAudit(stuck);
    expect(audit.write(record)).toBe(false);
    const other = openAudit(join(dir, 'other'));
    expect(other.write(record)).toBe(true);
    expect(audit.write(record)).toBe(false);
    expect(audit.ready()).toBe(false);
    expect(other.write(record)).toBe(true);
    audit.close();
    other.close();
    expect(readFileSync(join(dir, 'other'), 'utf8').trimEnd().split('\n')).toHaveLength(2);
  });

  test('a closed log stays closed', () => {
    const audit = openAudit(join(dir, 'audit'));
    expect(audit.ready()).toBe(true);
    audit.close();
    expect(audit.write(record)).toBe(false);
    expect(audit.ready()).toBe(false);
  });
});
