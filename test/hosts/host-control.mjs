/** Runs commands of the tests inside an emulated host: JSON lines over a virtio port. Plain JavaScript for the Node.js of that host. */
import { spawn } from 'node:child_process';
import { openSync, read, readdirSync, readFileSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const port = readdirSync('/sys/class/virtio-ports').find(
  (name) => readFileSync(`/sys/class/virtio-ports/${name}/name`, 'utf8').trim() === 'test.control',
);
const fd = openSync(`/dev/${port}`, 'r+');
const decoder = new StringDecoder('utf8');
let rest = '';

function say(message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function listen() {
  read(fd, Buffer.alloc(65_536), 0, 65_536, null, (error, size, bytes) => {
    if (error) throw error;
    // Nothing is read while no test is connected.
    if (size === 0) return setTimeout(listen, 100);
    const lines = (rest + decoder.write(bytes.subarray(0, size))).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) run(JSON.parse(line));
    listen();
  });
}

/** As a login of the user would. */
function run({ id, user, script }) {
  const child = spawn('su', ['--login', user, '--command', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const answer = { id, code: 128, stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (text) => {
      answer[stream] += text;
    });
  }
  child.once('close', (code) => say({ ...answer, code: code ?? 128 }));
}

say({ id: 0 });
listen();
