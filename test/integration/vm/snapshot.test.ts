/**
 * A snapshot is whole or there is none. Test doubles stand for QEMU: a monitor that speaks its real protocol, and a process with a machine's
 * sign in its command line, which writes the last of the device state when it is told to quit.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { bakePlaces } from '../../../lib/image/bake-places.ts';
import type { VmPlaces, WarmFiles } from '../../../lib/vm/driver.ts';
import { captureBeside, takeSnapshot } from '../../../lib/vm/qemu/snapshot.ts';
import { markerOf } from '../../../lib/vm/qemu/vm-process.ts';

/** Waits are over at once, where a test says so: what is waited for there never comes. */
const clock = vi.hoisted(() => ({ hurries: false }));
vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>();
  const setTimeout = (ms: number) => (clock.hurries ? real.setImmediate() : real.setTimeout(ms));
  return { ...real, setTimeout };
});

/** On `quit`, its own end: the rest of the device state, which takes it a moment. With a second word it never ends */
const QEMU = `const { appendFileSync } = require('node:fs');
const [, file, stays] = process.argv;
process.stdin.once('data', () => {
  if (stays === '') setTimeout(() => { appendFileSync(file, 'and the rest'); process.exit(0); }, 200);
});
setInterval(() => {}, 1000);
console.log('up');`;

let dir: string;
let places: VmPlaces;
let into: WarmFiles;
let qemu: ChildProcess;
let server: Server;
let clients: Socket[];
let commands: { execute: string; arguments?: unknown }[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-snap-'));
  places = bakePlaces(dir);
  mkdirSync(places.run, { recursive: true });
  writeFileSync(places.monitorLog, 'qemu: it went wrong\n');
  into = { ram: join(dir, 'ram'), device: join(dir, 'device') };
  writeFileSync(into.ram, 'memory');
  [clients, commands, clock.hurries] = [[], [], false];
});
afterEach(async () => {
  qemu.kill('SIGKILL');
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

interface Doubles {
  /** What the monitor says instead of what it would; undefined: it closes */
  says?: Record<string, (string | undefined)[]>;
  stays?: boolean;
}

async function machine({ says = {}, stays = false }: Doubles = {}): Promise<void> {
  const args = ['-e', QEMU, captureBeside(into.ram), stays ? 'stay' : '', markerOf(places)];
  qemu = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(qemu.stdout as NodeJS.ReadableStream, 'data');
  writeFileSync(places.process, `${JSON.stringify({ 'child-pid': qemu.pid })}\n`);
  server = createServer((socket) => {
    clients.push(socket);
    socket.on('error', () => {});
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        const said = obey(JSON.parse(line), says);
        if (said === undefined) socket.destroy();
        else socket.write(`${said}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(places.qmp, resolve));
}

/** As QEMU: the migration writes the device state, `quit` is answered and ends it. */
function obey(command: { execute: string }, says: Record<string, (string | undefined)[]>): string | undefined {
  commands.push(command);
  const { execute } = command;
  const [said] = says[execute] ?? [];
  if (says[execute] !== undefined && says[execute].length > 1) says[execute].shift();
  if (execute === 'migrate') writeFileSync(captureBeside(into.ram), 'device ');
  if (execute === 'quit') qemu.stdin?.write('quit\n');
  if (execute in says) return said;
  return execute === 'query-migrate' ? status('completed') : '{"return": {}}';
}

const status = (now: string) => `{"return": {"status": "${now}"}}`;
const ORDER = ['qmp_capabilities', 'stop', 'migrate-set-capabilities', 'migrate', 'quit'];
const snapshot = (signal?: AbortSignal) => takeSnapshot(places, into, signal);
const names = () => commands.map(({ execute }) => execute);

test('is what QEMU wrote until its own end', async () => {
  await machine({ says: { 'query-migrate': [status('setup'), status('active'), status('completed')] } });
  const ended = once(qemu, 'exit');
  await snapshot();
  expect(readFileSync(into.device, 'utf8')).toBe('device and the rest');
  expect(readFileSync(into.ram, 'utf8')).toBe('memory');
  expect(existsSync(captureBeside(into.ram))).toBe(false);
  // By itself: a signal would have cut off what it was writing.
  expect(await ended).toEqual([0, null]);
  expect(names().filter((name) => name !== 'query-migrate')).toEqual(ORDER);
  expect(names().filter((name) => name === 'query-migrate')).toHaveLength(3);
  // Or all of its memory would be in the device state.
  expect(commands[2]?.arguments).toEqual({ capabilities: [{ capability: 'x-ignore-shared', state: true }] });
  expect(existsSync(places.process)).toBe(false);
});

test('of a monitor that closes before it answers `quit` is the same', async () => {
  await machine({ says: { quit: [undefined] } });
  await snapshot();
  expect(readFileSync(into.device, 'utf8')).toBe('device and the rest');
});

test.each<[string, Doubles, object]>([
  [
    'whose migration fails',
    { says: { 'query-migrate': [status('active'), status('failed')] } },
    { code: 'vm-restore-failed', message: 'the snapshot could not be written', why: 'qemu: it went wrong' },
  ],
  [
    'that refuses to migrate',
    { says: { migrate: ['{"error": {"class": "GenericError", "desc": "no migration"}}'] } },
    { code: 'qmp', message: 'QEMU refused a command: no migration' },
  ],
  [
    'that breaks off while it migrates',
    { says: { 'query-migrate': [status('active'), undefined] } },
    { code: 'qmp', message: 'QEMU closed its monitor' },
  ],
])('there is none of a machine %s', async (_, how, error) => {
  await machine(how);
  await expect(snapshot()).rejects.toMatchObject(error);
  expect(existsSync(into.device)).toBe(false);
  // It is not told to end as if all were well.
  expect(names()).not.toContain('quit');
});

test('there is none of a machine that does not end: what it writes is not whole', async () => {
  await machine({ stays: true });
  clock.hurries = true;
  await expect(snapshot()).rejects.toMatchObject({ code: 'vm-restore-failed', why: 'QEMU does not end' });
  expect(existsSync(into.device)).toBe(false);
  expect(names()).toContain('quit');
});

test('there is none of a machine that has ended', async () => {
  await machine();
  qemu.kill('SIGKILL');
  await once(qemu, 'exit');
  await expect(snapshot()).rejects.toMatchObject({ code: 'vm-died' });
  expect([commands, existsSync(into.device)]).toEqual([[], false]);
});

test('there is none that nobody waits for any more', async () => {
  const given = new AbortController();
  await machine({ says: { 'query-migrate': [status('active')] } });
  const taken = snapshot(given.signal);
  await vi.waitFor(() => expect(names()).toContain('query-migrate'));
  given.abort(new Error('enough'));
  await expect(taken).rejects.toThrow('enough');
  expect(existsSync(into.device)).toBe(false);
});
