/** What a guest may ask of the agent: the one key, and signatures of git by it. */
import { describe, expect, test } from 'vitest';
import { decideMessage, type FilterEnforcement, FULL_FILTER } from '../../../lib/signing/filter.ts';
import { blobOf } from '../../../lib/signing/public-key.ts';
import { sshString, uint32 } from '../../../lib/signing/wire.ts';
import { KEY, login, OTHER, signedData } from './data.ts';

const GIT = signedData('git');

interface Asked {
  key?: string;
  data?: Buffer;
  flags?: number;
  rest?: Buffer;
}

const request = ({ key = KEY, data = GIT, flags = 0, rest = Buffer.alloc(0) }: Asked = {}) =>
  Buffer.concat([Buffer.from([13]), sshString(blobOf(key)), sshString(data), uint32(flags), rest]);
const decide = (message: Buffer, off: Partial<FilterEnforcement> = {}) =>
  decideMessage(message, KEY, { ...FULL_FILTER, ...off });
const refused = (why: RegExp) => ({ kind: 'refused', why: expect.stringMatching(why) });

test('the identities are answered here; a commit is signed', () => {
  expect(decide(Buffer.from([11]))).toEqual({ kind: 'identities' });
  expect(decide(request())).toMatchObject({ kind: 'sign', data: GIT, flags: 0, signed: { namespace: 'git' } });
  expect(decide(request({ flags: 4 }))).toMatchObject({ kind: 'sign', flags: 4 });
});

describe('refused is', () => {
  test.each([1, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 0, 255])('the message %i', (type) => {
    expect(decide(Buffer.concat([Buffer.from([type]), sshString('session-bind@openssh.com')]))).toMatchObject({
      kind: 'refused',
    });
  });

  test('a signature by another key', () => {
    expect(decide(request({ key: OTHER }))).toEqual(refused(/another key/));
    expect(decide(request({ key: OTHER }), { key: false })).toMatchObject({ kind: 'sign' });
  });

  test('the challenge of a login', () => {
    expect(decide(request({ data: login() }))).toEqual(refused(/login/));
    expect(decide(request({ data: login() }), { form: false })).toMatchObject({ kind: 'sign', data: login() });
  });

  test('another namespace, also one that begins with that of git', () => {
    for (const namespace of ['file', 'git ', 'git\0', 'GIT', ''])
      expect(decide(request({ data: signedData(namespace) }))).toEqual(refused(/namespace/));
    expect(decide(request({ data: signedData('file') }), { namespace: false })).toMatchObject({ kind: 'sign' });
  });

  test.each([
    ['an empty message', Buffer.alloc(0)],
    ['a request that is cut off', request().subarray(0, -1)],
    ['one with more after it', request({ rest: Buffer.from([0]) })],
    ['unknown flags', request({ flags: 1 })],
    ['identities with more after it', Buffer.from([11, 0])],
    ['a length beyond the message', Buffer.concat([Buffer.from([13]), uint32(0xffff_ffff)])],
  ])('%s', (_, message) => {
    expect(decide(message)).toMatchObject({ kind: 'refused' });
  });

  test.each([
    ['without its magic', GIT.subarray(6)],
    ['with more after the hash', Buffer.concat([GIT, Buffer.from([0])])],
    ['cut off', GIT.subarray(0, -1)],
    ['with another hash', signedData('git', 'sha1', 20)],
    ['with a hash of another length', signedData('git', 'sha512', 63)],
    ['with an inherited name for a hash', signedData('git', 'constructor', 1)],
    ['with a reserved field', signedData('git', 'sha512', 64, 'x')],
    ['of a magic alone', Buffer.from('SSHSIG')],
  ])('signed data %s', (_, data) => {
    expect(decide(request({ data }))).toEqual(refused(/no commit or tag/));
  });
});
