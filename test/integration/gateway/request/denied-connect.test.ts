import { describe, expect, test } from 'vitest';
import { plainResponse } from '../../../../lib/gateway/policy/denial-text.ts';
import { CONNECT, GET, startRig } from '../rig.ts';

const lineOf = (text: string) => text.split('\r\n', 1)[0];

describe('the status line of a denied CONNECT', () => {
  test('has the reason, since many programs show nothing else', async () => {
    await using rig = await startRig({ resolver: async () => Promise.reject(new Error('no such name')) });
    expect(lineOf(await rig.ask(CONNECT('evil.test:443')))).toMatch(
      /^HTTP\/1\.1 403 Forbidden by sbx: evil\.test:443 is denied: /,
    );
    expect(lineOf(await rig.ask(CONNECT('api.ok.test:22')))).toBe(
      'HTTP/1.1 502 Bad Gateway: api.ok.test could not be reached: no such name',
    );
    expect(lineOf(await rig.ask(GET('http://evil.test/', 'Connection: close\r\n')))).toBe(
      'HTTP/1.1 403 Forbidden by sbx',
    );
  });

  test('is one short line of ASCII, whatever a server or a guest put into the reason', () => {
    const text = `sbx: a\r\x1b[2J\u{202e}\u{100}${'b'.repeat(1_000)}\nSet-Cookie: x`;
    const [line = ''] = plainResponse({ status: 502, text, reasoned: true }).toString('latin1').split('\n', 1);
    expect(line).toMatch(/^HTTP\/1\.1 502 Bad Gateway: a\?\?\[2J\?\?b{100,}\r$/);
    expect(line.length).toBeLessThan(220);
  });
});
