/**
 * A snapshot is whole or there is none. Test doubles stand for QEMU: a monitor that speaks its real protocol, runs the real program that writes
 * the device state and treats it as QEMU does; and a process with a machine's sign in its command line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { bakePaths } from '../../../../lib/image/bake/bake-paths.ts';
import type { VmPaths, WarmFiles } from '../../../../lib/vm/driver.ts';
import { JAIL } from '../../../../lib/vm/qemu/process/args.ts';
import { markerOf } from '../../../../lib/vm/qemu/process/vm-process.ts';
import { captureBeside, takeSnapshot } from '../../../../lib/vm/qemu/snapshot.ts';

/** Waits are over at once, where a test says so: what is waited for there never comes. */
const clock = vi.hoisted(() => ({ hurries: false }));
vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>();
  const setTimeout = (ms: number) => (clock.hurries ? real.setImmediate() : real.setTimeout(ms));
  return { ...real, setTimeout };
});

/** On `quit`, its own end. With a word it never ends */
const QEMU = `const [, stays] = process.argv;
process.stdin.once('data', () => stays === '' && process.exit(0));
setInterval(() => {}, 1000);
console.log('up');`;

/** More than fits into a pipe: when QEMU has handed it over, its end is not read yet */
const DEVICE = 'device state '.repeat(80_000);

interface Command {
  execute: string;
  arguments?: { uri?: string };
}

let dir: string;
let paths: VmPaths;
let into: WarmFiles;
let qemu: ChildProcess;
let server: Server;
let clients: Socket[];
let commands: Command[];
let writtenAtQuit: boolean;
/** Also the writer that continues behind it */
let migration: Promise<unknown> | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-snap-'));
  paths = bakePaths(dir);
  mkdirSync(paths.run, { recursive: true });
  writeFileSync(paths.monitorLog, 'qemu: it went wrong\n');
  into = { ram: join(dir, 'ram'), device: join(dir, 'device') };
  writeFileSync(into.ram, 'memory');
  [clients, commands, clock.hurries, writtenAtQuit, migration] = [[], [], false, false, undefined];
});
afterEach(async () => {
  qemu.kill('SIGKILL');
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
  await migration;
  rmSync(dir, { recursive: true });
});

interface Doubles {
  /** What the monitor says instead of what it would; undefined: it closes */
  says?: Record<string, (string | undefined)[]>;
  stays?: boolean;
  /** What stands where the jail has the file of the device state */
  file?: string;
}

async function machine({ says = {}, stays = false, file = captureBeside(into.ram) }: Doubles = {}): Promise<void> {
  const args = ['-e', QEMU, stays ? 'stay' : '', markerOf(paths)];
  qemu = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(qemu.stdout as NodeJS.ReadableStream, 'data');
  writeFileSync(paths.process, `${JSON.stringify({ 'child-pid': qemu.pid })}\n`);
  server = createServer((socket) => {
    clients.push(socket);
    socket.on('error', () => {});
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        const said = obey(JSON.parse(line), says, file);
        if (said === undefined) socket.destroy();
        else socket.write(`${said}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(paths.qmp, resolve));
}

/** As QEMU: the migration writes the device state, `quit` is answered and ends it. */
function obey(command: Command, says: Record<string, (string | undefined)[]>, file: string): string | undefined {
  commands.push(command);
  const { execute } = command;
  const [said] = says[execute] ?? [];
  if (says[execute] !== undefined && says[execute].length > 1) says[execute].shift();
  if (execute === 'migrate' && !(execute in says)) migrate(command.arguments?.uri ?? '', file);
  if (execute === 'quit') {
    writtenAtQuit = readFileSync(file, 'utf8') === DEVICE;
    qemu.stdin?.write('quit\n');
  }
  if (execute in says) return said;
  return execute === 'query-migrate' ? status('completed') : '{"return": {}}';
}

/** What QEMU does: the state into the pipe of a shell, and that shell ended at once, by SIGTERM and a moment later by SIGKILL. */
const MIGRATE = `mkfifo "$3" && { sh -c "$1" <"$3" >/dev/null & } && cat "$2" >"$3"
kill -TERM $! 2>/dev/null && sleep 0.01 && kill -KILL $! 2>/dev/null; :`;

function migrate(uri: string, file: string): void {
  const script = uri.replace(/^exec:/, '').replace(JAIL.state, file);
  const state = join(dir, 'state');
  writeFileSync(state, DEVICE);
  const log = openSync(paths.monitorLog, 'a');
  // The last pipe is everybody's: it is closed when all have ended.
  const stdio = ['ignore', 'ignore', log, 'ignore', 'pipe'] as const;
  migration = once(
    spawn('sh', ['-c', MIGRATE, 'sh', script, state, join(dir, 'pipe')], { stdio: [...stdio] }),
    'close',
  );
  closeSync(log);
}

const status = (now: string) => `{"return": {"status": "${now}"}}`;
const ORDER = ['qmp_capabilities', 'stop', 'migrate-set-capabilities', 'migrate', 'quit'];
const snapshot = (signal?: AbortSignal) => takeSnapshot(paths, into, signal);
const names = () => commands.map(({ execute }) => execute);

test('is all that QEMU handed over, whose writer it does not wait for', async () => {
  await machine({ says: { 'query-migrate': [status('setup'), status('active'), status('completed')] } });
  const ended = once(qemu, 'exit');
  await snapshot();
  expect(readFileSync(into.device, 'utf8') === DEVICE).toBe(true);
  // With QEMU the jail ends, and the writer in it.
  expect(writtenAtQuit).toBe(true);
  expect(readFileSync(into.ram, 'utf8')).toBe('memory');
  expect(existsSync(captureBeside(into.ram))).toBe(false);
  expect(await ended).toEqual([0, null]);
  expect(names().filter((name) => name !== 'query-migrate')).toEqual(ORDER);
  expect(names().filter((name) => name === 'query-migrate')).toHaveLength(3);
  // Or all of its memory would be in the device state.
  expect(commands[2]?.arguments).toEqual({ capabilities: [{ capability: 'x-ignore-shared', state: true }] });
  expect(existsSync(paths.process)).toBe(false);
});

test('of a monitor that closes before it answers `quit` is the same', async () => {
  await machine({ says: { quit: [undefined] } });
  await snapshot();
  expect(readFileSync(into.device, 'utf8') === DEVICE).toBe(true);
});

test.each<[string, Doubles, object]>([
  [
    'whose migration fails',
    { says: { 'query-migrate': [status('active'), status('failed')] } },
    {
      code: 'vm-restore-failed',
      message: 'the snapshot could not be written',
      why: expect.stringContaining('qemu: it went wrong'),
    },
  ],
  [
    'whose device state finds no space',
    { file: '/dev/full' },
    { code: 'no-space', message: 'no space left for a warm snapshot', why: expect.stringContaining('No space left') },
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

test('there is none of a machine that does not end: its memory may be written to still', async () => {
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

test('none is taken after an abort', async () => {
  const given = new AbortController();
  await machine({ says: { 'query-migrate': [status('active')] } });
  const taken = snapshot(given.signal);
  await vi.waitFor(() => expect(names()).toContain('query-migrate'));
  given.abort(new Error('enough'));
  await expect(taken).rejects.toThrow('enough');
  expect(existsSync(into.device)).toBe(false);
});
