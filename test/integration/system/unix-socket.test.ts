/** Tests Unix sockets at long paths, links and missing listeners. */
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectTo, listenAt } from '../../../lib/system/unix-socket.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-u-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const openFiles = () => readdirSync('/proc/self/fd').length;

async function serving(path: string, word: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.end(word));
  await listenAt(server, path);
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

async function said(path: string): Promise<string> {
  let text = '';
  for await (const chunk of connectTo(path)) text += chunk;
  return text;
}

test('a path longer than a socket address works, and no descriptor stays open', async () => {
  const deep = join(dir, 'a'.repeat(100), 'b'.repeat(100));
  mkdirSync(deep, { recursive: true });
  const before = openFiles();
  {
    await using _server = await serving(join(deep, 'socket'), 'hello');
    expect(await said(join(deep, 'socket'))).toBe('hello');
    expect(readdirSync(deep)).toEqual(['socket']);
  }
  expect(readdirSync(deep)).toEqual([]);
  expect(openFiles()).toBe(before);
});

test('a link in the place of a socket leads nowhere', async () => {
  await using _other = await serving(join(dir, 'other'), 'of another sandbox');
  symlinkSync(join(dir, 'other'), join(dir, 'agent'));
  expect(() => connectTo(join(dir, 'agent'))).toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
  // The control is off: the same link, by its path as an address.
  let text = '';
  for await (const chunk of connect(join(dir, 'agent'))) text += chunk;
  expect(text).toBe('of another sandbox');
});

test('a missing path or another file is an error at once', () => {
  writeFileSync(join(dir, 'file'), '');
  linkSync(join(dir, 'file'), join(dir, 'same'));
  expect(() => connectTo(join(dir, 'same'))).toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
  expect(() => connectTo(join(dir, 'gone'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => connectTo(dir)).toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
});

test('a socket without a listener refuses', async () => {
  const path = join(dir, 'left');
  const server = createServer();
  await listenAt(server, path);
  linkSync(path, join(dir, 'kept'));
  await new Promise((resolve) => server.close(resolve));
  const before = openFiles();
  const socket = connectTo(join(dir, 'kept'));
  const errors: unknown[] = [];
  socket.on('error', (error) => void errors.push(error));
  await new Promise((resolve) => socket.once('close', resolve));
  expect(errors).toEqual([expect.objectContaining({ code: 'ECONNREFUSED' })]);
  expect(openFiles()).toBe(before);
});

test('a failure to listen is an error and holds no descriptor', async () => {
  await using _first = await serving(join(dir, 'taken'), '');
  const before = openFiles();
  await expect(listenAt(createServer(), join(dir, 'taken'))).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await expect(listenAt(createServer(), join(dir, 'gone', 'socket'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(openFiles()).toBe(before);
});
