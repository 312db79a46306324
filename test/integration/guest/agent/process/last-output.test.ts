/** The last that a command or a connection says arrives, also on a machine with too much to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { cpus } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, useAgent } from '../agent-rig.ts';

const rig = useAgent();
const TIMES = 40;
const AT_ONCE = 10;
const SAID = 'x'.repeat(200_000);

const burners: ChildProcess[] = [];
beforeAll(() => {
  for (let core = 0; core < cpus().length + 1; core += 1)
    burners.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
});
afterAll(() => {
  for (const burner of burners) burner.kill('SIGKILL');
});

/** The answers that are not whole. */
async function wrongOnes(one: () => Promise<string>): Promise<string[]> {
  const wrong: string[] = [];
  for (let done = 0; done < TIMES; done += AT_ONCE) {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, one));
    wrong.push(...answers.filter((answer) => answer !== SAID).map(({ length }) => `${length} bytes`));
  }
  return wrong;
}

test('of a command with a terminal', async () => {
  const tty = { cols: 80, rows: 24, term: 'xterm' };
  const script = `head -c ${SAID.length} /dev/zero | tr "\\0" x`;
  const one = async () => {
    const child = rig.guest.exec(ask(['sh', '-c', script], { tty, stdin: true }));
    child.stderr.resume();
    const said = text(child.stdout);
    expect(await child.exit).toEqual({ code: 0 });
    return said;
  };
  expect(await wrongOnes(one)).toEqual([]);
});

test('of a command with a terminal that ends in the middle of a line that it wrote at once', async () => {
  const tty = { cols: 80, rows: 24, term: 'xterm' };
  const one = async () => {
    const child = rig.guest.exec(ask(['printf', '%s', SAID.slice(0, 3000)], { tty, stdin: true }));
    child.stderr.resume();
    const said = await text(child.stdout);
    await child.exit;
    return said === SAID.slice(0, 3000) ? SAID : said;
  };
  expect(await wrongOnes(one)).toEqual([]);
});

test('of a connection whose server speaks and ends', async () => {
  const server: Server = createServer((socket) => socket.on('error', () => {}).end(SAID));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const one = async () => {
    const { input, output, ended } = rig.guest.connectPort({ host: '127.0.0.1', port });
    const said = await text(output);
    input.end();
    await ended;
    return said;
  };
  try {
    expect(await wrongOnes(one)).toEqual([]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
