/**
 * Quick starts for the commands that are typed most: what `exec` needs is put into one file, and each command runs once, so that bin/sbx writes
 * beside every file what V8 made of it.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** In this order: a part that two commands share keeps what the first needed, too. */
const EXEC = ['exec', '--', 'true'];
const COMMANDS = [['ls'], ['apply', '--yes'], ['exec', '--apply', '--', 'true'], EXEC];

const LONGEST_MS = 60_000;
/** What precedes every greeting, its frame's head, its nonce (lib/guest/protocol/wire.ts) */
const GREETING_BYTES = 16 + 9 + 16;

/** `parts`: the folder of the command line's parts. */
export async function keepCode(parts) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-k-')));
  const project = join(folder, 'project');
  mkdirSync(join(folder, 'home', 'daemon'), { recursive: true, mode: 0o700 });
  mkdirSync(project);
  writeFileSync(join(project, 'sandbox.toml'), 'version = 1\nagent = "shell"\n');
  const server = doubleOfTheDaemon(project);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(join(folder, 'home', 'daemon', 'sock'), resolve);
  });
  try {
    putTogether(parts, await run(EXEC, { folder, project }));
    for (const command of COMMANDS) await run(command, { folder, project });
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  }
}

/** The parts in the order in which they were asked for; each is still made only when it is. */
function putTogether(folder, names) {
  const functions = names.map((name) => {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    rmSync(`${file}.cache`, { force: true });
    return `${JSON.stringify(name)}(exports, require, module, __filename, __dirname) {${text}\n}`;
  });
  writeFileSync(join(folder, 'first.cjs'), `({${functions.join(',\n')}})`);
}

/** Returns the parts that it needed. */
async function run(command, { folder, project }) {
  const list = join(folder, 'parts.json');
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'bin', 'sbx'), ...command], {
    cwd: project,
    env: { ...process.env, SBX_HOME: join(folder, 'home'), SBX_KEEP_CODE: list },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST_MS,
  });
  let complaint = '';
  child.stderr.on('data', (data) => {
    complaint += data;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`sbx ${command.join(' ')} → ${code}\n${complaint}`);
  return JSON.parse(readFileSync(list, 'utf8'));
}

/** Says to everything that it is done, and speaks as much of the guest's protocol as a command without output needs (lib/guest/protocol/wire.ts). */
function doubleOfTheDaemon(project) {
  const nothing = {
    changes: [],
    steps: [],
    notices: [],
    widening: [],
    sandboxes: [],
    wideningHash: '',
    approved: true,
  };
  const answers = {
    '/v1/sandboxes': [],
    '/v1/plan': nothing,
    '/v1/apply': { type: 'done', result: nothing },
  };
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.end(`${JSON.stringify(answers[request.url])}\n`));
  });
  server.on('upgrade', (_request, socket, head) => {
    const place = encodeURIComponent(JSON.stringify({ id: 'double', name: 'double', workspace: project }));
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sbx-guest\r\nsbx-sandbox: ${place}\r\n\r\n`,
    );
    let heard = Buffer.alloc(0);
    const hear = (data) => {
      heard = Buffer.concat([heard, data]);
      if (heard.length <= GREETING_BYTES) return;
      socket.off('data', hear);
      // A greeting comes back as it came; what was asked with it is answered by the end of the first stream.
      socket.write(heard.subarray(0, GREETING_BYTES));
      socket.write(Buffer.from('\0\0\0\x0a\x07\0\0\0\x01{"code":0}', 'latin1'));
    };
    // What was upgraded, the server no longer closes.
    socket
      .on('error', () => {})
      .on('data', hear)
      .once('end', () => socket.destroy());
    if (head.length > 0) hear(head);
  });
  return server;
}
