/**
 * A saved memory is whole or there is none, and the machine runs on. Test doubles stand for QEMU: a monitor that speaks its real protocol and runs the
 * real program that writes the memory; and a process with a machine's sign in its command line.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bakePaths } from '../../../../lib/image/bake/bake-paths.ts';
import type { VmPaths } from '../../../../lib/vm/driver.ts';
import { JAIL } from '../../../../lib/vm/qemu/process/args.ts';
import { markerOf } from '../../../../lib/vm/qemu/process/vm-process.ts';
import { saveMemory } from '../../../../lib/vm/qemu/saved-memory.ts';

const MEMORY = 'memory '.repeat(100_000);

let dir: string;
let paths: VmPaths;
let file: string;
let qemu: ChildProcess;
let server: Server;
let clients: Socket[];
let commands: string[];
/** Where the writer writes, and what QEMU says of its migration afterwards */
let target: string;
let ends: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-save-'));
  paths = bakePaths(dir);
  mkdirSync(paths.run, { recursive: true });
  writeFileSync(paths.monitorLog, '');
  file = join(dir, 'memory');
  [clients, commands, target, ends] = [[], [], join(paths.run, 'memory'), 'completed'];
  qemu = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', markerOf(paths)], { stdio: 'ignore' });
  await once(qemu, 'spawn');
  writeFileSync(paths.process, `${JSON.stringify({ 'child-pid': qemu.pid })}\n`);
  server = createServer((socket) => {
    clients.push(socket);
    socket.on('error', () => {});
    socket.write('{"QMP": {}}\n');
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) socket.write(`${obey(JSON.parse(line))}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(paths.qmp, resolve));
});
afterEach(async () => {
  qemu.kill('SIGKILL');
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

function obey({ execute, arguments: given }: { execute: string; arguments?: { uri?: string } }): string {
  commands.push(execute);
  if (execute === 'query-migrate') return `{"return": {"status": "${ends}"}}`;
  if (execute !== 'migrate') return '{"return": {}}';
  const script = (given?.uri ?? '').replace(/^exec:/, '').replace(`${JAIL.run}/memory`, target);
  spawnSync('sh', ['-c', `${script}\nwait`], {
    input: MEMORY,
    stdio: ['pipe', 'ignore', openSync(paths.monitorLog, 'a')],
  });
  return '{"return": {}}';
}

const order = () => commands.filter((name) => name !== 'query-migrate' && name !== 'qmp_capabilities');

test('is all that QEMU handed over, and the machine stays paused', async () => {
  await saveMemory(paths, file);
  expect(readFileSync(file, 'utf8') === MEMORY).toBe(true);
  expect(existsSync(join(paths.run, 'memory'))).toBe(false);
  expect(order()).toEqual(['stop', 'migrate-set-capabilities', 'migrate-set-parameters', 'migrate']);
});

test.each<[string, () => void, object]>([
  [
    'the disk of the host is full',
    () => {
      target = '/dev/full';
    },
    { code: 'no-space', message: 'no space left for the memory of the sandbox' },
  ],
  [
    'its migration fails',
    () => {
      ends = 'failed';
    },
    { code: 'vm-save-failed' },
  ],
])('there is none when %s, and the machine runs on', async (_, when, error) => {
  when();
  await expect(saveMemory(paths, file)).rejects.toMatchObject(error);
  expect([existsSync(file), existsSync(join(paths.run, 'memory'))]).toEqual([false, false]);
  expect(order().slice(-2)).toEqual(['migrate_cancel', 'cont']);
});

test('there is none after an abort, and the machine runs on', async () => {
  ends = 'active';
  const given = new AbortController();
  const saving = saveMemory(paths, file, { signal: given.signal });
  while (!commands.includes('query-migrate')) await new Promise((resolve) => setTimeout(resolve, 5));
  given.abort(new Error('enough'));
  ends = 'cancelled';
  await expect(saving).rejects.toThrow('enough');
  expect([existsSync(file), order().slice(-2)]).toEqual([false, ['migrate_cancel', 'cont']]);
});

test('there is none of a machine that has ended', async () => {
  qemu.kill('SIGKILL');
  await once(qemu, 'exit');
  await expect(saveMemory(paths, file)).rejects.toMatchObject({ code: 'vm-died' });
});
