import { expect, test } from 'vitest';
import { type Identity, identityOperations } from '../../../../lib/guest/setup/identity.ts';
import { lineOf, START_DOCKER } from '../../../../lib/guest/setup/operations.ts';

const IDENTITY: Identity = {
  entropy: Buffer.alloc(64, 7),
  timeNs: 1_795_000_000_123_456_789n,
  machineId: 'ab'.repeat(16),
  hostname: 'shop',
  mounts: [{ source: '0', target: '/home/me/shop' }],
  ca: 'PEM',
  git: '',
  docker: false,
};

test('entropy and clock come before all operations with random values or dates', () => {
  const operations = identityOperations(IDENTITY);
  expect(operations.map(({ op }) => op)).toEqual([
    'entropy',
    'clock',
    'host',
    'write',
    'write',
    'trust',
    'write',
    'await-mount',
    'bind',
  ]);
  expect(operations[1]).toEqual({ op: 'clock', seconds: 1_795_000_000n, nanoseconds: 123_456_789n });
  expect(operations.at(-1)).toEqual({ op: 'bind', source: '/run/sbx/workspace/0', target: '/home/me/shop' });
});

test('without mounts nothing is mounted, without an authority nothing is trusted', () => {
  const operations = identityOperations({ ...IDENTITY, mounts: [], ca: '' });
  expect(operations.map(({ op }) => op)).not.toEqual(expect.arrayContaining(['trust']));
  expect(operations.map(({ op }) => op)).not.toEqual(expect.arrayContaining(['await-mount']));
});

test('the Docker engine starts after all else: its containers find their folders', () => {
  expect(identityOperations({ ...IDENTITY, docker: true }).at(-1)).toBe(START_DOCKER);
  expect(identityOperations(IDENTITY)).not.toContain(START_DOCKER);
});

test('no argument can end a line, an operation or an argument', () => {
  const line = lineOf([{ op: 'write', path: '/a b;c\nlast;reboot', text: '' }]);
  expect(line).toMatch(/^write [0-9a-f]+ \n$/);
});

test("git's configuration is a file of its own, which git's own file includes before all else", () => {
  const operations = identityOperations({ ...IDENTITY, git: '[user]\n' });
  expect(operations).toContainEqual({ op: 'write', path: '/etc/sbx.gitconfig', text: '[user]\n' });
  expect(operations).toContainEqual({
    op: 'prepend',
    path: '/etc/gitconfig',
    text: '[include]\n\tpath = /etc/sbx.gitconfig\n',
  });
});
