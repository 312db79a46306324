import { expect, test } from 'vitest';
import { hostText, isWide, parsePort } from '../../../../lib/cli/command/port-text.ts';

test.each([
  ['3000', { host: 3000, guest: 3000 }],
  ['8080:3000', { host: 8080, guest: 3000 }],
  ['0:3000', { host: 0, guest: 3000 }],
  ['192.168.1.2:80:3000', { address: '192.168.1.2', host: 80, guest: 3000 }],
  ['[::]:80:3000', { address: '::', host: 80, guest: 3000 }],
])('%s', (text, port) => {
  expect(parsePort(text)).toEqual(port);
});

test.each([
  '',
  '0',
  '80:0',
  '65536',
  '80:65536',
  'a:b',
  '80:',
  ':80',
  '1.2.3:80:80',
  '999.1.1.1:80:80',
  '::1:80:80',
  '[1.2.3.4]:80:80',
  '[::1]:80',
  '1.2.3.4:80',
  'localhost:80:80',
  '80:80/tcp',
  '-1:80',
])('%j is refused', (text) => {
  expect(() => parsePort(text)).toThrow(`invalid port: ${text}`);
});

test('an address that others reach is wide', () => {
  const wide = ['0.0.0.0', '::', '192.168.1.2', '10.0.0.1'];
  const narrow = [null, undefined, '127.0.0.1', '127.1.2.3', '::1'];
  expect(wide.filter((address) => !isWide({ address }))).toEqual([]);
  expect(narrow.filter((address) => isWide({ address }))).toEqual([]);
});

test('shows where the host listens', () => {
  expect(hostText({ host: 80, address: null })).toBe('80');
  expect(hostText({ host: 0, address: '::1' })).toBe('[::1]:a free port');
});
