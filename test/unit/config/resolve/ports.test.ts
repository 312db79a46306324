import { describe, expect, test } from 'vitest';
import { failure, load } from '../project.ts';

const entry = (...lines: string[]) => `[[ports]]\n${lines.join('\n')}\n`;
const portsOf = async (text: string) => (await load(text)).sandboxes[0]?.ports;

describe('[[ports]]', () => {
  test('has defaults and its place', async () => {
    expect(await portsOf(entry('guest = 3000'))).toEqual([
      { guest: 3000, host: 3000, source: { file: expect.stringMatching(/sandbox\.toml$/), line: 1, column: 3 } },
    ]);
    expect(await portsOf('')).toBeUndefined();
  });

  test('takes a free port, an address, another port', async () => {
    const text = entry('guest = 1', 'host = 0') + entry('guest = 2', 'host = 80', 'address = "::"', 'auto = true');
    expect(await portsOf(text)).toMatchObject([
      { guest: 1, host: 0 },
      { guest: 2, host: 80, address: '::', auto: true },
    ]);
  });

  test.each([
    [
      'a port of the host that is used twice',
      entry('guest = 1', 'host = 80') + entry('guest = 2', 'host = 80'),
      'used twice',
    ],
    ['an entry twice', entry('guest = 1') + entry('guest = 1'), 'listed twice'],
    ['a name as the address', entry('guest = 1', 'address = "localhost"'), 'must be an IP address'],
    ['an interface in the address', entry('guest = 1', 'address = "fe80::1%eth0"'), 'must be an IP address'],
    ['a port that does not exist', entry('guest = 65536'), 'ports'],
    ['no port inside', entry('host = 80'), 'ports'],
  ])('refuses %s', async (_, text, message) => {
    expect(await failure(load(text))).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(message),
    });
  });

  test('a second one of a port may take a free one', async () => {
    const text = entry('guest = 1', 'host = 80') + entry('guest = 2', 'host = 80', 'auto = true');
    expect(await portsOf(text)).toHaveLength(2);
  });
});
