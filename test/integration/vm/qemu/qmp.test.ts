/** The monitor's client against monitors that are silent, babble, or are not there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Qmp } from '../../../../lib/vm/qemu/qmp.ts';

let dir: string;
let path: string;
let server: Server;
let clients: Socket[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-q-'));
  path = join(dir, 'qmp');
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

/** Answers each command as `answer` says; undefined: not at all. */
async function monitor(answer: (command: string) => string | undefined): Promise<void> {
  server = createServer((socket) => {
    clients.push(socket);
    socket.on('error', () => {});
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        const said = answer((JSON.parse(line) as { execute: string }).execute);
        if (said !== undefined) socket.write(`${said}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const OK = '{"return": {}}';
const open = (options: { deadlineMs?: number; signal?: AbortSignal } = {}) =>
  Qmp.open(path, { deadlineMs: 20_000, alive: () => true, ...options });

describe('a monitor', () => {
  test('answers in the order of the commands, also several at once', async () => {
    await monitor((command) => (command === 'qmp_capabilities' ? OK : `{"event": "X"}\n{"return": "${command}"}`));
    await using qmp = await open();
    expect(await Promise.all([qmp.execute('a'), qmp.execute('b')])).toEqual(['a', 'b']);
  });

  test('that never answers is given up at the deadline', async () => {
    await monitor(() => undefined);
    await expect(open({ deadlineMs: 50 })).rejects.toMatchObject({ code: 'qmp', message: 'QEMU does not answer' });
  });

  test('that never answers is closed when its caller aborts', async () => {
    const signal = new AbortController();
    await monitor((command) => {
      if (command === 'qmp_capabilities') return OK;
      signal.abort(new Error('enough'));
      return undefined;
    });
    await using qmp = await open({ signal: signal.signal });
    await expect(qmp.execute('cont')).rejects.toThrow('enough');
    // An answer that comes later would be taken for another's.
    await expect(qmp.execute('stop')).rejects.toThrow('enough');
  });

  test.each(['no JSON', '7', 'null'])('that says %s is given up', async (nonsense) => {
    await monitor((command) => (command === 'qmp_capabilities' ? OK : nonsense));
    await using qmp = await open();
    await expect(qmp.execute('cont')).rejects.toMatchObject({ code: 'qmp', message: 'unexpected message from QMP' });
  });

  test('that refuses is quoted', async () => {
    await monitor((command) => (command === 'qmp_capabilities' ? OK : '{"error": {"class": "C", "desc": "no such"}}'));
    await using qmp = await open();
    await expect(qmp.execute('cont')).rejects.toThrow('no such');
    await expect(qmp.execute('cont')).rejects.toThrow('no such');
  });
});
