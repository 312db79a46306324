/** An MCP server of the host, called from inside a real machine through the gateway; the agent's own file names the endpoint. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallRecord } from '../../../lib/mcp/call-log.ts';
import { inside, json, must, netLog, type Project, project, SMALL, sbx } from '../harness.ts';

const MODULES = realpathSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)));
const NODE = realpathSync(process.execPath);
const EVERYTHING = join(MODULES, '@modelcontextprotocol/server-everything/dist/index.js');
const URL_INSIDE = 'http://gateway.mcp.host.sbx/mcp';
const NODE_FOLDER = NODE.startsWith('/usr/') ? [] : [dirname(NODE)];

const toml = (folders: string[]) => `version = 1
${SMALL}
[agent]
name = "made-up"
mcp_file = "~/.made-up/mcp.json"
mcp_format = "json"
mcp_entry = '{ "mcpServers": { "sbx": { "url": "{url}" } } }'
[mcp.servers.everything]
command = ["${NODE}", "${EVERYTHING}"]
folders = ${JSON.stringify(folders)}
tools = ["echo"]
`;

describe('an MCP server of the host', () => {
  let p: Project;
  beforeAll(async () => {
    p = project('mcp', toml([MODULES, ...NODE_FOLDER]));
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  const rpc = async (method: string, params: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = "-H 'content-type: application/json' -H 'accept: application/json, text/event-stream'";
    return JSON.parse(await inside(p.dir, `curl -sS -m 60 ${headers} -d '${body}' ${URL_INSIDE}`));
  };

  test('is a widening: apply refuses it unasked', async () => {
    const refused = await sbx(['apply', '--yes'], { cwd: p.dir });
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain('mcp');
    await must(['apply', '--accept-widening'], { cwd: p.dir });
  });

  test('is in the file of the agent, and is called through the gateway', async () => {
    expect(JSON.parse(await inside(p.dir, 'cat ~/.made-up/mcp.json'))).toEqual({
      mcpServers: { sbx: { url: URL_INSIDE } },
    });
    const { result } = await rpc('tools/list', {});
    expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(['echo']);
    const called = await rpc('tools/call', { name: 'echo', arguments: { message: 'over the gateway' } });
    expect(called.result.content[0].text).toContain('over the gateway');
    expect(await netLog(p.dir, ['--host', 'gateway.mcp.host.sbx'])).toContainEqual(
      expect.objectContaining({ verdict: 'allow', method: 'POST', path: '/mcp' }),
    );
  });

  test('has its calls in `sbx mcp log`, and its tools in `sbx mcp ls`', async () => {
    const { stdout } = await must(['mcp', 'log', '--json'], { cwd: p.dir });
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CallRecord);
    expect(records).toMatchObject([{ server: 'everything', tool: 'echo', verdict: 'ok' }]);
    const { servers } = await json<{ servers: { name: string; tools: { name: string; state: string }[] }[] }>(
      ['mcp', 'ls'],
      { cwd: p.dir },
    );
    expect(servers[0]?.tools.find(({ name }) => name === 'echo')).toMatchObject({ state: 'offered' });
    expect(servers[0]?.tools.filter(({ state }) => state === 'offered')).toHaveLength(1);
  });

  test('keeps what the agent wrote into its file, and is not reached any more once it is removed', async () => {
    await inside(p.dir, `echo '{ "theme": "dark" }' > ~/.made-up/mcp.json`);
    await must(['restart', '--yes'], { cwd: p.dir });
    expect(JSON.parse(await inside(p.dir, 'cat ~/.made-up/mcp.json'))).toEqual({
      theme: 'dark',
      mcpServers: { sbx: { url: URL_INSIDE } },
    });
    const file = join(p.dir, 'sandbox.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\[mcp\.servers[\s\S]*$/, ''));
    await must(['apply', '--yes'], { cwd: p.dir });
    const code = await inside(p.dir, `curl -sS -m 60 -o /dev/null -w '%{http_code}' ${URL_INSIDE}`);
    expect(code).toBe('403');
  });
});

test('a folder of an MCP server that the sandbox has is refused with its line', async () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-mcp-e2e-')));
  try {
    writeFileSync(join(dir, 'sandbox.toml'), toml(['.']));
    const { code, stderr } = await sbx(['validate'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain('cannot be a folder of a server');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
