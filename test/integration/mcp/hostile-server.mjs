// An MCP server by hand that misbehaves as its first argument says; reads JSON lines, writes JSON lines.
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [mode = '', file = ''] = process.argv.slice(2);
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (value) => ({ content: [{ type: 'text', text: value }] });
const tool = (name, description = 'plain') => ({ name, description, inputSchema: { type: 'object' } });

function tools() {
  if (mode === 'many') return Array.from({ length: 5_000 }, (_, index) => tool(`t${index}`));
  if (mode === 'changing') return JSON.parse(readFileSync(file, 'utf8'));
  return [tool('echo'), tool('view'), tool('bad name\n')];
}

function call({ name }) {
  if (mode === 'huge') return text('x'.repeat(64 * 1024 * 1024));
  if (mode === 'dies') process.exit(3);
  if (mode === 'slow') return undefined;
  if (name === 'view') return text(JSON.stringify(view()));
  return text('echoed');
}

/** What the jail shows of the host */
function view() {
  const own = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2).filter(Boolean);
  return {
    environment: Object.keys(process.env).sort(),
    secret: file !== '' && existsSync(file),
    interfaces: own.map((line) => line.split(':')[0].trim()),
    processes: existsSync('/proc/50/cmdline'),
  };
}

if (mode === 'garbage') setInterval(() => process.stdout.write('no json\n'.repeat(1_000)), 1);
if (mode === 'endless') setInterval(() => process.stdout.write('x'.repeat(1024 * 1024)), 1);
if (mode === 'stderr') setInterval(() => process.stderr.write('x'.repeat(1024 * 1024)), 1);
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize' && mode !== 'mute')
    send({
      id,
      result: {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'hostile', version: '1' },
      },
    });
  if (method === 'tools/list')
    send({
      id,
      result: mode === 'pages' ? { tools: [tool(`t${Math.random()}`)], nextCursor: 'more' } : { tools: tools() },
    });
  if (method === 'tools/call') {
    const result = call(params);
    if (result !== undefined) send({ id, result });
  }
});
if (mode === 'flood')
  setInterval(() => {
    for (let n = 0; n < 2_000; n++) send({ method: 'notifications/message', params: { level: 'info', data: 'x' } });
  }, 1);
