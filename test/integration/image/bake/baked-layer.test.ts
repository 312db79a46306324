/**
 * A layer's bake and the host's own certificates: a real store, real commands. The machine is a test double that speaks the guest's protocol; its
 * commands run jailed on this host, where they may write to nothing but folders of the test.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CHANNEL, type ExecRequest } from '../../../../lib/guest/protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../lib/guest/protocol/server-session.ts';
import { type BakeStep, BUNDLE_SCRIPT, trustSteps } from '../../../../lib/image/bake/bake-script.ts';
import { ensureBaked } from '../../../../lib/image/bake/baked-layer.ts';
import type { ImageBuild } from '../../../../lib/image/store/image-build.ts';
import { type Layer, openStore, type Store } from '../../../../lib/image/store/store.ts';
import { startTimeOf } from '../../../../lib/system/process-identity.ts';
import { listenAt } from '../../../../lib/system/unix-socket.ts';
import type { VmDriver, VmPaths } from '../../../../lib/vm/driver.ts';

/** Of the foundation */
const BUNDLE = [{ title: 'the bundle', argv: ['/bin/sh', '-c', BUNDLE_SCRIPT], path: undefined }];
const PEM = `${rootCertificates.slice(0, 3).join('\n')}\n`;

let dir: string;
let store: Store;
/** The guest's /usr/local/share and /etc/ssl */
let share: string;
let ssl: string;
let commands: string[];
let machine: { server: Server; sockets: Socket[] } | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-bl-'));
  store = openStore(join(dir, 's'));
  share = join(dir, 'share');
  mkdirSync(share);
  ssl = join(dir, 'ssl');
  mkdirSync(join(ssl, 'certs'), { recursive: true });
  writeFileSync(join(ssl, 'certs', 'ca-certificates.crt'), 'public roots');
  commands = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

type Run = (stream: MuxStream, request: ExecRequest) => Partial<StreamEvents>;

/** As the agent does it, as far as a command is concerned that takes its input and ends. */
const really =
  ({ writable = true, path = process.env['PATH'] } = {}): Run =>
  (stream, { argv }) => {
    const over = writable ? ['--bind', share, '/usr/local/share', '--bind', ssl, '/etc/ssl'] : [];
    const env = { ...process.env, PATH: path };
    const child = spawn('bwrap', ['--ro-bind', '/', '/', '--dev', '/dev', ...over, '--', ...argv], { env });
    child.stdin.on('error', () => {});
    child.stderr.on('data', (text: Buffer) => void stream.send(CHANNEL.stderr, text));
    child.on('close', (code) => stream.close({ code }));
    return {
      onData: (_channel, data, taken) => void child.stdin.write(data, () => taken()),
      onEnd: () => void child.stdin.end(),
    };
  };

/** With a double of a tool of the guest's */
function withTool(name: string, script: string): Run {
  const tools = join(share, 'bin');
  mkdirSync(tools);
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return really({ path: '/usr/local/share/bin:/usr/bin:/bin' });
}

async function boot(run: Run, { agent }: VmPaths): Promise<void> {
  mkdirSync(join(agent, '..'), { recursive: true });
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    const session = createSession(pipeOf(socket), (stream, service, body) => {
      if (service === 'shutdown') {
        stream.close({});
        end();
        return DISCARD;
      }
      commands.push((body as ExecRequest).argv.at(-1) ?? '');
      return { ...DISCARD, ...run(stream, body as ExecRequest) };
    });
    socket.on('data', (chunk) => session.push(chunk));
  });
  await listenAt(server, agent);
  machine = { server, sockets };
}

function end(): void {
  for (const socket of machine?.sockets ?? []) socket.end();
  machine?.server.close();
  machine = undefined;
}

interface BakeOptions {
  trust?: string;
  /** What comes before */
  first?: BakeStep[];
  signal?: AbortSignal;
}

function bake(run: Run, { trust = PEM, first = [], signal }: BakeOptions = {}): Promise<unknown> {
  const startTime = startTimeOf(process.pid) ?? '';
  const driver: Partial<VmDriver> = {
    boot: async (_config, paths) => {
      await boot(run, paths);
      return { pid: process.pid, startTime, accel: 'tcg', startedAt: '' };
    },
    find: () => (machine === undefined ? undefined : { pid: process.pid, startTime, accel: 'tcg', startedAt: '' }),
    health: async () => 'running',
    destroy: async () => end(),
  };
  const layer = (kind: string): Layer => ({
    kind,
    key: 'k',
    dir: join(dir, kind),
    parents: [],
    description: '',
    createdAt: '',
  });
  const deps = { store, driver: driver as VmDriver, openEgress: async () => async () => {}, logs: dir };
  const request = { base: 'debian:bookworm', cpus: 1, memoryBytes: 1, diskBytes: 2 ** 20, env: {} };
  const events = { onProgress: () => {}, onLine: () => {}, signal };
  return ensureBaked({ deps, request, events } as unknown as ImageBuild, {
    platform: { kernel: layer('kernel'), runtime: layer('runtime') },
    parent: { layer: layer('base'), backing: [join(dir, 'root.ext4')], format: 'raw' },
    kind: 'packages',
    steps: [...first, ...trustSteps(trust), { title: 'a step', argv: ['/bin/true'], path: undefined }],
  });
}

const log = () => readFileSync(join(dir, readdirSync(dir).find((name) => name.endsWith('.log')) ?? ''), 'utf8');

test('the host’s own certificates are there before the first step: in the bundle, for Node, one by one, by their hashes', async () => {
  await bake(really(), { first: BUNDLE });
  expect(commands).toEqual([BUNDLE_SCRIPT, expect.stringContaining('sbx-host'), '/bin/true']);
  const certs = join(ssl, 'certs');
  expect(readFileSync(join(certs, 'ca-certificates.crt'), 'utf8')).toBe(`public roots\n${PEM}`);
  expect(readFileSync(join(ssl, 'sbx-extra.pem'), 'utf8')).toBe(PEM);
  const names = ['sbx-host-1', 'sbx-host-2', 'sbx-host-3'];
  const added = join(share, 'ca-certificates');
  expect(readdirSync(added).toSorted()).toEqual(names.map((name) => `${name}.crt`));
  expect(names.map((name) => readFileSync(join(added, `${name}.crt`), 'utf8')).join('')).toBe(PEM);
  const links = readdirSync(certs).filter((name) => name !== 'ca-certificates.crt');
  expect(links.filter((name) => name.endsWith('.pem')).toSorted()).toEqual(names.map((name) => `${name}.pem`));
  expect(links.filter((name) => /^[0-9a-f]{8}\.0$/.test(name))).toHaveLength(3);
  expect(log()).toBe("$ the bundle\n$ add the host's own certificates\n$ a step\n");
});

test('other certificates make another layer', async () => {
  const bakeOne = (trust: string) => bake(really(), { first: BUNDLE, trust });
  await bakeOne(PEM);
  await bakeOne(PEM);
  expect(await store.list()).toHaveLength(1);
  await bakeOne(`${rootCertificates[4]}\n`);
  expect(await store.list()).toHaveLength(2);
});

test('where no hashes can be made of them, there is no image, and the reason is told', async () => {
  const baked = bake(withTool('openssl', 'echo no such digest >&2; exit 1'), { first: BUNDLE });
  await expect(baked).rejects.toMatchObject({ code: 'bake-failed', why: expect.stringContaining('no such digest') });
  expect(await store.list()).toEqual([]);
});

test('a base without a bundle, and without the tool that makes one, has one of them alone', async () => {
  rmSync(join(ssl, 'certs'), { recursive: true });
  await bake(really({ path: '/usr/bin:/bin' }), { first: BUNDLE });
  expect(readFileSync(join(ssl, 'certs', 'ca-certificates.crt'), 'utf8')).toBe(PEM);
});

test('a base without a bundle has the one that its own tool makes, and they are added', async () => {
  rmSync(join(ssl, 'certs', 'ca-certificates.crt'));
  await bake(withTool('update-ca-certificates', 'echo its roots > /etc/ssl/certs/ca-certificates.crt; echo made'), {
    first: BUNDLE,
  });
  expect(readFileSync(join(ssl, 'certs', 'ca-certificates.crt'), 'utf8')).toBe(`its roots\n${PEM}`);
  expect(log()).not.toContain('made');
});

test('where its own tool fails, there is no image, and the reason is told', async () => {
  rmSync(join(ssl, 'certs', 'ca-certificates.crt'));
  const baked = bake(withTool('update-ca-certificates', 'echo no roots at all; exit 1'), { first: BUNDLE });
  await expect(baked).rejects.toMatchObject({ code: 'bake-failed', why: expect.stringContaining('no roots at all') });
  expect(await store.list()).toEqual([]);
});

test('where they cannot be put into the image, there is no image: no step runs, and the reason is told', async () => {
  await expect(bake(really({ writable: false }))).rejects.toMatchObject({
    code: 'bake-failed',
    message: "the bake failed at add the host's own certificates",
    why: expect.stringMatching(/ended with exit code \d+[\s\S]*Read-only file system/),
    hint: expect.stringContaining('sbx logs --bake'),
  });
  expect(commands).toHaveLength(1);
  expect(await store.list()).toEqual([]);
  expect(log()).toMatch(/^\$ add the host's own certificates\n.*Read-only file system/);
});

test('a machine that never takes them is given up with the bake', async () => {
  const abort = new AbortController();
  const given = vi.fn();
  const baked = bake(() => ({ onReset: given }), { signal: abort.signal });
  baked.catch(() => {});
  await vi.waitFor(() => expect(commands).toEqual([expect.stringContaining('sbx-host')]));
  abort.abort(new Error('enough'));
  await expect(baked).rejects.toThrow();
  await vi.waitFor(() => expect(given).toHaveBeenCalled());
  expect(await store.list()).toEqual([]);
});

test('a host that trusts no more than every system adds none', async () => {
  await bake(really(), { trust: '' });
  expect(commands).toEqual(['/bin/true']);
});
