/** The guest's agent as a process of the host, made from its source as the build makes it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { GuestConnection, type GuestProcess } from '../../../../lib/guest/client/connection.ts';
import type { ExecRequest, ExecResult } from '../../../../lib/guest/protocol/messages.ts';

export interface Agent extends AsyncDisposable {
  socket: string;
  /** What the agent itself complained of: nothing, when all is well */
  complaints(): string;
  connect(): Promise<GuestConnection>;
}

export interface AgentRig {
  readonly agent: Agent;
  /** A connection of this test's own */
  readonly guest: GuestConnection;
}

/** One agent for the tests of a file, with a connection for each; its stderr must be empty afterwards. */
export function useAgent(
  options: { records?: () => string; afterEach?: (rig: AgentRig) => Promise<void> } = {},
): AgentRig {
  let agent: Agent;
  let guest: GuestConnection;
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  const rig: AgentRig = {
    get agent() {
      return agent;
    },
    get guest() {
      return guest;
    },
  };
  beforeAll(async () => {
    process.on('warning', onWarning);
    agent = await startAgent(options.records === undefined ? {} : { records: options.records() });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    process.off('warning', onWarning);
  });
  beforeEach(async () => {
    guest = await agent.connect();
  });
  afterEach(async () => {
    await options.afterEach?.(rig);
    await guest[Symbol.asyncDispose]();
    expect(agent.complaints()).toBe('');
    expect(warnings).toEqual([]);
  });
  return rig;
}

export async function startAgent(options: { records?: string } = {}): Promise<Agent> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-agent-'));
  const outfile = join(dir, 'agent.cjs');
  await build({
    entryPoints: ['lib/guest/agent/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    loader: { '.pl': 'text' },
    external: ['@lydell/node-pty'],
    target: 'node20.19',
    logLevel: 'error',
    outfile,
  });
  const socket = join(dir, 'agent.sock');
  const records = options.records ?? join(dir, 'sessions');
  const child: ChildProcess = spawn(process.execPath, [outfile, '--socket', socket, '--records', records], {
    env: { PATH: process.env['PATH'], SBX_PTY_MODULE: resolve('node_modules/@lydell/node-pty') },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (data: Buffer) => {
    said += data.toString();
  });
  return {
    socket,
    complaints: () => said,
    connect: () => GuestConnection.connect(socket, { signal: AbortSignal.timeout(20_000) }),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A request of the user who runs the tests. */
export function ask(argv: string[], more: Partial<ExecRequest> = {}): ExecRequest {
  return { argv, user: String(process.getuid?.()), cwd: '/', stdin: false, ...more };
}

export interface Outcome extends ExecResult {
  stdout: string;
  stderr: string;
}

export async function outcomeOf(child: Pick<GuestProcess, 'stdout' | 'stderr' | 'exit'>): Promise<Outcome> {
  const [stdout, stderr, result] = await Promise.all([textOf(child.stdout), textOf(child.stderr), child.exit]);
  return { ...result, stdout, stderr };
}

/** Runs a command to its end. */
export const runner =
  (rig: AgentRig) =>
  (argv: string[], more: Partial<ExecRequest> = {}): Promise<Outcome> =>
    outcomeOf(rig.guest.exec(ask(argv, more)));

export async function textOf(output: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of output) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Reads on until the text holds it. The rest stays for the next reader. */
export async function readUntil(output: Readable, wanted: RegExp): Promise<string> {
  let text = '';
  return await new Promise((resolve, reject) => {
    const finish = (work: () => void) => {
      output.pause();
      output.off('data', onData).off('end', onEnd);
      work();
    };
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (wanted.test(text)) finish(() => resolve(text));
    };
    const onEnd = () => finish(() => reject(new Error(`ended before ${wanted}: ${text}`)));
    output.on('data', onData).on('end', onEnd).resume();
  });
}

/** Processes of a group that run: one that has ended and waits for its parent counts no more. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && state !== 'Z' && state !== 'X';
      } catch {
        return false;
      }
    });
}

export async function groupGone(group: number, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20))
    if (groupMembers(group).length === 0) return true;
  return false;
}

/** One byte pipe that outlives the sessions over it, as a virtio port does: each call gives the end of a new client. */
export async function sharedPipe(path: string): Promise<{ client(): Duplex; close(): void }> {
  const socket = connect(path);
  await new Promise((done, fail) => socket.once('connect', done).once('error', fail));
  return {
    client() {
      const onData = (chunk: Buffer) => void duplex.push(chunk);
      const duplex: Duplex = new Duplex({
        read() {},
        write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
        destroy(error, done) {
          socket.off('data', onData);
          done(error);
        },
      });
      socket.on('data', onData);
      return duplex;
    },
    close: () => void socket.destroy(),
  };
}
