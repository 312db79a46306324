import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listenersIn, listening } from '../../../../../lib/guest/agent/net/listening.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, state: string, inode: number) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`;

test('only listeners on the loopback or on all addresses are taken', () => {
  const table = [
    HEAD,
    row('0100007F:0BB8', '0A', 1),
    row('00000000:1F90', '0A', 2),
    row('0100007F:0BB9', '01', 3),
    row('010011AC:0050', '0A', 4),
    row('00000000000000000000000000000000:0051', '0A', 5),
    row('00000000000000000000000001000000:0052', '0A', 6),
    row('B80D01200000000067452301EFCDAB89:0053', '0A', 7),
    'rubbish',
    '',
  ].join('\n');
  expect(listenersIn(table).map(({ port, inode }) => [port, inode])).toEqual([
    [3000, '1'],
    [8080, '2'],
    [81, '5'],
    [82, '6'],
  ]);
});

test('the services of this machine: those of other processes with their names, none of its own', async () => {
  const own = createServer().listen(0, '127.0.0.1');
  await once(own, 'listening');
  const program =
    "require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
  const other = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = (await once(other.stdout, 'data')).map(Number);
    const found = await listening();
    expect(found).toContainEqual({ port, program: 'node' });
    expect(found.map((one) => one.port)).not.toContain((own.address() as { port: number }).port);
    expect(found.map((one) => one.port)).toEqual(found.map((one) => one.port).toSorted((one, next) => one - next));
  } finally {
    other.kill();
    own.close();
  }
});
