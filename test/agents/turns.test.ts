/**
 * The real command lines of six agents, each in a real machine, each through a whole turn: it asks its model, calls a tool that writes a
 * file in the workspace, answers. The models are test doubles (test/doubles), under the real host names of their APIs.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALL_DOUBLES } from '../doubles/all.ts';
import type { Script } from '../doubles/double.ts';
import { type SeenRequest, startModelServer } from '../doubles/model-server.ts';
import { ownServer } from '../doubles/openai.ts';
import { startWorld, type World } from '../doubles/world.ts';
import { HOME, must, netLog, type Project, project, type Result, sbx, statusOf } from '../e2e/harness.ts';
import { filesBelow, inFile, inMemory } from '../e2e/network/memory-search.ts';

interface Agent {
  /** Name of the secret in its template */
  secret: string;
  /** Marked, and of the shape that real ones have */
  key: string;
  /** Where the placeholder is, inside */
  env: string;
  header: string;
  /** What the header's value begins with */
  scheme: RegExp;
  /** Names of the doubles that its turn goes through */
  doubles: string[];
}

const mark = () => randomBytes(24).toString('hex');
const bearer = { header: 'authorization', scheme: /^bearer /i };
const anthropic = (): Agent => ({
  secret: 'anthropic',
  key: `sk-ant-api03-${mark()}`,
  env: 'ANTHROPIC_API_KEY',
  header: 'x-api-key',
  scheme: /^/,
  doubles: ['anthropic'],
});

const AGENTS: Record<string, Agent> = {
  claude: anthropic(),
  codex: { secret: 'openai', key: `sk-proj-${mark()}`, env: 'CODEX_API_KEY', ...bearer, doubles: ['openai'] },
  gemini: {
    secret: 'gemini',
    key: `AIzaSy${mark()}`,
    env: 'GEMINI_API_KEY',
    header: 'x-goog-api-key',
    scheme: /^/,
    doubles: ['gemini'],
  },
  copilot: {
    secret: 'copilot',
    key: `github_pat_${mark()}`,
    env: 'COPILOT_GITHUB_TOKEN',
    ...bearer,
    scheme: /^(bearer|token) /i,
    doubles: ['github', 'copilot'],
  },
  opencode: anthropic(),
  qwen: { secret: 'qwen', key: `sk-${mark()}`, env: 'OPENAI_API_KEY', ...bearer, doubles: ['compatible'] },
};

const RESOURCES = '[resources]\ncpus = 2\nmemory = "2GiB"\n';
const MEMORY_BYTES = 2 * 1024 ** 3;
const script: Script = { path: '', content: '', answer: '' };
let world: World;

/** The daemon of these tests lives in the world of the doubles: whichever command starts it. */
const inWorld = (cwd: string) => ({ cwd, env: world.environment });

beforeAll(async () => {
  world = await startWorld({ script, doubles: ALL_DOUBLES, folder: join(HOME, 'doubles') });
  await must(['daemon', 'stop', '--yes'], { cwd: '/' });
});
afterAll(async () => {
  await must(['daemon', 'stop', '--yes'], { cwd: '/' });
  await world?.[Symbol.asyncDispose]();
});

/** The project of one line. Its secret goes with it. */
function agentProject(name: string, { secret }: Agent): Project {
  const p = project(`agent-${name}`, `version = 1\nagent = "${name}"\n${RESOURCES}`);
  return {
    ...p,
    async [Symbol.asyncDispose]() {
      await sbx(['secret', 'rm', secret, '--project', p.dir], inWorld(p.dir));
      await p[Symbol.asyncDispose]();
    },
  };
}

/** The secret on the host, of this project alone; the machine. */
async function ready({ dir }: Project, { secret, key }: Agent): Promise<void> {
  await must(['secret', 'set', secret, '--project', dir], { ...inWorld(dir), input: key });
  await must(['apply', '--yes', '--accept-widening'], inWorld(dir));
}

/** One whole turn: what the doubles were asked meanwhile. */
async function turn(name: string, dir: string, websocket = true): Promise<SeenRequest[]> {
  const before = world.seen.length;
  Object.assign(script, {
    path: join(dir, 'made.txt'),
    content: `made by ${name}: it's "${mark()}"\n`,
    answer: `The file of ${name} is there.`,
    websocket,
  });
  const result = await sbx(['run', '--headless', 'Write the file made.txt.'], inWorld(dir));
  const seen = world.seen.slice(before);
  expect(result.code, bookOf(seen, result)).toBe(0);
  expect(result.stdout, bookOf(seen, result)).toContain(script.answer);
  return seen;
}

/** What the doubles were asked, for a failure that explains itself. */
function bookOf(seen: SeenRequest[], { code, stdout, stderr }: Result): string {
  const lines = seen.map(
    ({ status, websocket, method, host, path }) => `${status} ${websocket ? 'ws ' : ''}${method} ${host}${path}`,
  );
  return `exit ${code}\n${stdout}\n${stderr}\n${lines.join('\n')}\nasked for: ${[...new Set(world.asked)].join(' ')}`;
}

describe.each(Object.entries(AGENTS))('%s', (name, agent) => {
  let p: Project;
  let seen: SeenRequest[];
  beforeAll(async () => {
    p = agentProject(name, agent);
    await ready(p, agent);
    seen = await turn(name, p.dir);
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('wrote the file into the workspace of the host, as the host’s user', () => {
    expect(readFileSync(script.path, 'utf8')).toBe(script.content);
    expect(statSync(script.path).uid).toBe(process.getuid?.());
  });

  test('sent the real key to its API, in its header, and the placeholder to nobody', async () => {
    const inside = (await must(['exec', '--', 'printenv', agent.env], inWorld(p.dir))).stdout.trim();
    expect(inside).not.toContain(agent.key.slice(-16));
    expect(inside).toHaveLength(agent.key.length);
    expect(JSON.stringify(seen.map(({ headers, body }) => [headers, body]))).not.toContain(inside);
    for (const double of agent.doubles) {
      const sent = seen.filter((one) => one.double === double && one.headers[agent.header] !== undefined);
      expect(sent.length, double).toBeGreaterThan(0);
      const values = sent.map(({ headers }) => String(headers[agent.header]).replace(agent.scheme, ''));
      expect([...new Set(values)]).toEqual([agent.key]);
    }
  });

  test('left its key nowhere: memory, disk and processes of the machine, logs of the host', async () => {
    const { id } = await statusOf(p.dir);
    const placeholder = (await must(['exec', '--', 'printenv', agent.env], inWorld(p.dir))).stdout.trim();
    // Begun with the environment of any command, and looked at from outside.
    const look = "sleep 60 & sudo -n sh -c 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline' 2>/dev/null; kill $!; sync";
    const processes = (await must(['exec', '--', 'sh', '-c', look], inWorld(p.dir))).stdout;
    const words = [agent.key, placeholder];
    expect(words.filter((word) => processes.includes(word))).toEqual([placeholder]);
    expect(await inMemory(id, words, MEMORY_BYTES)).toEqual([placeholder]);
    const [secrets, store] = [join(HOME, 'secrets'), join(HOME, 'store')];
    const files = filesBelow(HOME, (path) => path === secrets || path === store);
    expect(files).toContain(join(HOME, 'instances', id, 'disk.qcow2'));
    const holders = [];
    for (const file of files) if ((await inFile(file, [agent.key])).length > 0) holders.push(file);
    expect(holders).toEqual([]);
    expect(await inFile(join(secrets, 'values.json'), [agent.key])).toEqual([agent.key]);
  });
});

describe('Codex', () => {
  const ways = (seen: SeenRequest[]) => [...new Set(seen.map(({ websocket, status }) => `${websocket} ${status}`))];

  test('speaks WebSocket, and HTTP where none is opened', async () => {
    const agent = AGENTS['codex'] as Agent;
    await using p = agentProject('codex', agent);
    await ready(p, agent);
    expect(ways(await turn('codex', p.dir))).toEqual(['true 101', 'true 200']);
    expect(ways(await turn('codex', p.dir, false))).toEqual(['true 404', 'false 200']);
    expect(readFileSync(script.path, 'utf8')).toBe(script.content);
  });
});

describe('a model server of this host', () => {
  test('does a whole turn with the template `local`, without a key and without any other host', async () => {
    await using server = await startModelServer({ script, doubles: [ownServer] });
    const service = `[[services]]\nname = "model"\nhost = "127.0.0.1:${server.port}"\nport = 11434\n`;
    await using p = project('agent-local', `version = 1\nagent = "local"\n${service}${RESOURCES}`);
    await must(['apply', '--yes', '--accept-widening'], inWorld(p.dir));
    expect(await turn('local', p.dir)).toEqual([]);
    expect(readFileSync(script.path, 'utf8')).toBe(script.content);
    expect([...new Set(server.seen.map(({ status, host, path }) => `${status} ${host} ${path}`))]).toEqual([
      '200 model.host.sbx /v1/chat/completions',
    ]);
    const allowed = (await netLog(p.dir)).filter(({ verdict }) => verdict === 'allow');
    expect([...new Set(allowed.map(({ host, port }) => `${host}:${port}`))]).toEqual(['model.host.sbx:11434']);
  });
});
