/** What a program reaches in the jail of a workspace server; each look is taken outside of it, too, where it must succeed. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSIDE, serverCommand } from '../../../../lib/workspace/client/server-jail.ts';

const run = promisify(execFile);

let dir: string;
let listener: NetServer;
/** Without the right to open what the mode denies its owner */
let inside: Look;
/** As the server is started */
let server: Look;
let outside: Look;

interface Look {
  /** Why each path could not be read; `read` if it could */
  reads: Record<string, string>;
  writes: Record<string, string>;
  connect: string;
  interfaces: string[];
  status: string;
  environment: string[];
  processes: number;
  root: string[];
}

/** Runs instead of the server: says what it can do. */
const PROBE = `
import fs from 'node:fs'; import net from 'node:net'; import os from 'node:os';
const { reads, writes, port } = JSON.parse(fs.readFileSync(process.argv[1].replace('probe.mjs', 'ask.json'), 'utf8'));
const attempt = (act) => { try { act(); return 'done'; } catch (error) { return error.code ?? String(error); } };
const all = (paths, act) => Object.fromEntries(paths.map((path) => [path, attempt(() => act(path))]));
const connect = await new Promise((resolve) => {
  net.connect(port, '127.0.0.1').once('connect', () => resolve('done')).once('error', ({ code }) => resolve(code));
});
console.log(JSON.stringify({
  reads: all(reads, (path) => (fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path))),
  writes: all(writes, (path) => fs.writeFileSync(path, 'x')),
  connect,
  interfaces: Object.keys(os.networkInterfaces()),
  status: fs.readFileSync('/proc/self/status', 'utf8'),
  environment: Object.keys(process.env),
  processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length,
  root: fs.readdirSync('/'),
}));
process.exit(0);
`;

const at = (path: string) => join(dir, path);

beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-jail-')));
  for (const folder of ['work', 'kept', 'beside', 'shared', 'code', 'single']) mkdirSync(at(folder));
  writeFileSync(at('beside/secret'), 'secret');
  writeFileSync(at('single/file'), '');
  writeFileSync(at('single/other'), '');
  listener = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  writeFileSync(at('code/probe.mjs'), PROBE);
  const reads = ['/etc/passwd', '/home', '/root', '/var', '/sys', '/run', at('beside/secret'), INSIDE.root(0)];
  const own = [at('code/sbx-probe'), at('beside/new')];
  const look = async (writes: string[], [program = '', ...args]: string[]) => {
    writeFileSync(at('code/ask.json'), JSON.stringify({ reads, writes, port }));
    return JSON.parse((await run(program, args)).stdout) as Look;
  };
  inside = await look([...roots(), '/usr/sbx-probe', '/sbx-probe', '/roots/sbx-probe', ...own], jailed(false));
  server = await look([], jailed(true));
  // Nothing is tried on the host's own folders.
  outside = await look(own, [process.execPath, at('code/probe.mjs')]);
});
afterAll(() => {
  listener.close();
  rmSync(dir, { recursive: true, force: true });
});

function roots(): string[] {
  return [`${INSIDE.root(0)}/new`, `${INSIDE.root(1)}/new`, `${INSIDE.root(2)}/file`, `${INSIDE.root(2)}/new`];
}

function jailed(ownerRights: boolean): string[] {
  const command = serverCommand({
    folders: [
      { path: at('work'), readonly: false, isFile: false },
      { path: at('kept'), readonly: true, isFile: false },
      { path: at('single/file'), readonly: true, isFile: true },
    ],
    shared: at('shared'),
    script: at('code/probe.mjs'),
    code: [{ source: at('code'), target: at('code') }, ...ownNode()],
    node: process.execPath,
    marker: 'probe',
    build: 'any',
    ownerRights,
    infoFd: 1,
  });
  // The probe's own lines only
  const status = command.indexOf('--json-status-fd');
  return ['/usr/bin/bwrap', ...command.toSpliced(status, 2)];
}

function ownNode() {
  return process.execPath.startsWith('/usr/') ? [] : [{ source: process.execPath, target: process.execPath }];
}

describe('in the jail of a workspace server', () => {
  test('of the host there are the folders, /usr and the program, and nothing else', () => {
    const { [INSIDE.root(0)]: served, ...rest } = inside.reads;
    expect(served).toBe('done');
    expect(new Set(Object.values(rest))).toEqual(new Set(['ENOENT']));
    // The way to the folders, and to a Node that lies elsewhere.
    const ways = [tmpdir(), process.execPath].map((path) => path.split('/')[1] ?? '');
    const others = (names: string[]) => names.filter((name) => name === 'usr' || !ways.includes(name)).sort();
    expect(others(inside.root)).toEqual(
      others(['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'roots', 'sbin', 'shared', 'tmp', 'usr']),
    );
  });

  test('the twin: outside of it the same program reads and finds what belongs to the host', () => {
    for (const path of ['/etc/passwd', '/home', '/var', at('beside/secret')])
      expect([path, outside.reads[path]]).toEqual([path, 'done']);
    expect(outside.writes[at('beside/new')]).toBe('done');
  });

  test('only a folder to be written can be written', () => {
    expect(inside.writes).toEqual({
      [`${INSIDE.root(0)}/new`]: 'done',
      [`${INSIDE.root(1)}/new`]: 'EROFS',
      [`${INSIDE.root(2)}/file`]: 'EROFS',
      [`${INSIDE.root(2)}/new`]: 'EROFS',
      '/usr/sbx-probe': 'EROFS',
      '/sbx-probe': 'EROFS',
      '/roots/sbx-probe': 'EROFS',
      [at('code/sbx-probe')]: 'EROFS',
      [at('beside/new')]: 'ENOENT',
    });
    expect(outside.writes[at('code/sbx-probe')]).toBe('done');
  });

  test('there is no network; outside of it the same address answers', () => {
    expect(outside.connect).toBe('done');
    expect(inside.connect).not.toBe('done');
    expect(inside.interfaces.filter((name) => name !== 'lo')).toEqual([]);
  });

  test('there is no capability but one, to pass the modes of files of the own user and group', () => {
    const others = (status: string) => Number.parseInt(/^CapBnd:\t(.*)$/m.exec(status)?.[1] ?? '', 16) & ~2;
    expect([others(inside.status), others(server.status)]).toEqual([0, 0]);
    expect(server.status).toContain('NoNewPrivs:\t1');
    expect(server.reads).toEqual(inside.reads);
  });

  test('there are no other capabilities, no new privileges, no processes of the host and no environment', () => {
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(inside.status).toContain(`${set}:\t0000000000000000`);
    expect(inside.status).toContain('NoNewPrivs:\t1');
    expect(outside.status).toContain('NoNewPrivs:\t0');
    expect(inside.processes).toBe(2);
    expect(outside.processes).toBeGreaterThan(2);
    expect(inside.environment.sort()).toEqual(['PATH', 'PWD']);
  });
});
