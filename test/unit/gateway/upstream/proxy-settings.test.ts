import { describe, expect, test } from 'vitest';
import { proxyFor, proxySettings } from '../../../../lib/gateway/upstream/proxy-settings.ts';

describe("the host's own proxy", () => {
  const settings = proxySettings({
    https_proxy: 'http://us%40er:pw@proxy.test:3128',
    HTTP_PROXY: 'plain.test:8080',
    NO_PROXY: '.corp.test, 10.0.0.1 only.test:8443,[fd00::1]',
  });
  const via = (host: string, purpose: 'tunnel' | 'http' = 'tunnel', port = 443) =>
    proxyFor(settings, { host, port, purpose })?.host;

  test('is chosen by what is carried', () => {
    expect(via('h.test')).toBe('proxy.test');
    expect(via('h.test', 'http', 80)).toBe('plain.test');
    expect(settings.https).toEqual({
      host: 'proxy.test',
      port: 3128,
      authorization: `Basic ${Buffer.from('us@er:pw').toString('base64')}`,
    });
  });

  test('may be spoken to inside TLS', () => {
    const { https } = proxySettings({ https_proxy: 'https://proxy.test' });
    expect(https).toEqual({ host: 'proxy.test', port: 443, secure: true, authorization: undefined });
  });

  test.each(['corp.test', 'db.corp.test', '10.0.0.1', 'fd00::1', 'localhost', '127.0.0.1', '::1'])(
    'is not used for %s',
    (host) => expect(via(host)).toBeUndefined(),
  );

  test('an exception may be for one port', () => {
    expect(via('only.test', 'tunnel', 8443)).toBeUndefined();
    expect(via('only.test')).toBe('proxy.test');
  });

  test('what is no proxy of this kind is ignored', () => {
    expect(proxySettings({ https_proxy: 'socks5://p.test:1', http_proxy: '%%' })).toMatchObject({
      https: undefined,
      http: undefined,
    });
    expect(
      proxyFor(proxySettings({ https_proxy: 'p.test', no_proxy: '*' }), { host: 'h.test', port: 1, purpose: 'tunnel' }),
    ).toBeUndefined();
  });
});
