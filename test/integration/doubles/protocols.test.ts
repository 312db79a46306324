/** Each double of a model's API: a tool call first, its pieces joined as the API's clients do; the answer after the tool's result. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anthropic } from '../../doubles/anthropic.ts';
import { copilot, github } from '../../doubles/copilot.ts';
import { gemini } from '../../doubles/gemini.ts';
import { openai } from '../../doubles/openai.ts';
import { encodeFrame, frameOf } from '../../doubles/websocket-server.ts';
import { startWorld, type World } from '../../doubles/world.ts';
import { ask, eventsOf, SCRIPT, secure } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'sbx-doubles-'));
let world: World;
beforeAll(async () => {
  world = await startWorld({ script: SCRIPT, doubles: [anthropic, openai, gemini, github, copilot], folder });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const PARAMETERS = { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] };
const COMMAND = `printf '%s' 'it'\\''s made\n' > '/w/made.txt'`;
const at = (value: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
const joined = (values: unknown[]) => values.filter((value) => typeof value === 'string').join('');

describe('Anthropic Messages', () => {
  const tools = [{ name: 'Bash', input_schema: PARAMETERS }];
  const post = (body: object, path = '/v1/messages?beta=true') =>
    ask(world, { host: 'api.anthropic.com', path, headers: { 'x-api-key': 'k' }, body });

  test('streams a call of the tool, then the answer', async () => {
    const first = eventsOf((await post({ model: 'm', stream: true, tools, messages: [] })).text);
    expect(first.map(({ type }) => type)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const call = at(first[1], 'content_block') as { id: string; name: string };
    expect(call.name).toBe('Bash');
    expect(JSON.parse(joined(first.map((event) => at(event, 'delta', 'partial_json'))))).toEqual({ command: COMMAND });
    expect(at(first[6], 'delta', 'stop_reason')).toBe('tool_use');
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: '' }] };
    const second = eventsOf((await post({ stream: true, tools, messages: [result] })).text);
    expect(joined(second.map((event) => at(event, 'delta', 'text')))).toBe(SCRIPT.answer);
    expect(at(second.at(-2), 'delta', 'stop_reason')).toBe('end_turn');
  });

  test('answers at once when no stream is asked for, and counts tokens', async () => {
    expect(JSON.parse((await post({ messages: [] })).text)).toMatchObject({
      content: [{ type: 'text', text: SCRIPT.answer }],
      stop_reason: 'end_turn',
    });
    const counted = await post({ messages: [] }, '/v1/messages/count_tokens');
    expect(JSON.parse(counted.text)).toEqual({ input_tokens: expect.any(Number) });
  });
});

describe('OpenAI Responses', () => {
  const tools = [
    { type: 'function', name: 'shell', parameters: { ...PARAMETERS, properties: { command: { type: 'array' } } } },
  ];
  const stream = async (body: object) =>
    eventsOf(
      (await ask(world, { host: 'api.openai.com', path: '/v1/responses', body: { stream: true, ...body } })).text,
    );
  const done = (events: Record<string, unknown>[]) =>
    events.find(({ type }) => type === 'response.output_item.done')?.['item'] as Record<string, string>;

  test('streams a call of the tool, then the answer', async () => {
    const first = await stream({ tools, input: [] });
    const text = joined(
      first.flatMap((event) => (String(event['type']).endsWith('arguments.delta') ? [event['delta']] : [])),
    );
    expect(JSON.parse(text)).toEqual({ command: ['bash', '-c', COMMAND] });
    expect(done(first)).toMatchObject({ type: 'function_call', name: 'shell', arguments: text });
    const second = await stream({
      tools,
      input: [{ type: 'function_call_output', call_id: done(first)['call_id'], output: '' }],
    });
    expect(joined(second.flatMap(({ type, delta }) => (type === 'response.output_text.delta' ? [delta] : [])))).toBe(
      SCRIPT.answer,
    );
    expect(at(second.at(-1), 'response', 'status')).toBe('completed');
  });

  test('calls the tool that runs JavaScript, where there is one among the additional tools', async () => {
    const inner = [{ type: 'custom', name: 'exec' }];
    const input = [{ type: 'additional_tools', tools: [{ type: 'namespace', name: 'functions', tools: inner }] }];
    const call = done(await stream({ input }));
    expect(call).toMatchObject({ type: 'custom_tool_call', name: 'exec', namespace: 'functions' });
    expect(call['input']).toContain(`tools.exec_command({ cmd: ${JSON.stringify(COMMAND)} })`);
    const after = await stream({
      input: [...input, { type: 'custom_tool_call_output', call_id: call['call_id'], output: '' }],
    });
    expect(done(after)).toMatchObject({ type: 'message' });
  });

  test('says the same on a WebSocket, in one message an event', async () => {
    const socket = await secure(world, 'api.openai.com', world.authority);
    const lines = ['GET /v1/responses HTTP/1.1', 'Host: api.openai.com', 'Connection: Upgrade', 'Upgrade: websocket'];
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    socket.write([...lines, 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, '', ''].join('\r\n'));
    const message = JSON.stringify({ type: 'response.create', tools, input: [], pad: 'x'.repeat(70_000) });
    socket.write(encodeFrame(1, Buffer.from(message), Buffer.from([1, 2, 3, 4])));
    let held = Buffer.alloc(0);
    let head = '';
    const events: Record<string, unknown>[] = [];
    for await (const bytes of socket) {
      held = Buffer.concat([held, bytes as Buffer]);
      if (head === '' && held.includes('\r\n\r\n')) {
        head = held.subarray(0, held.indexOf('\r\n\r\n')).toString();
        held = held.subarray(head.length + 4);
      }
      for (let frame = head === '' ? undefined : frameOf(held); frame !== undefined; frame = frameOf(held)) {
        held = held.subarray(frame.length);
        events.push(JSON.parse(frame.payload.toString()) as Record<string, unknown>);
      }
      if (events.at(-1)?.['type'] === 'response.completed') break;
    }
    // The example of RFC 6455.
    expect(head).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
    expect(done(events)).toMatchObject({ type: 'function_call', name: 'shell' });
    expect(world.seen.filter(({ websocket }) => websocket).map(({ status }) => status)).toEqual([101, 200]);
  });
});

describe('OpenAI Chat Completions, as OpenAI and as Copilot', () => {
  const tools = [{ type: 'function', function: { name: 'run_shell_command', parameters: PARAMETERS } }];
  test.each([
    ['api.openai.com', '/v1/chat/completions'],
    ['api.individual.githubcopilot.com', '/chat/completions'],
  ])('%s streams a call of the tool, then the answer', async (host, path) => {
    const stream = async (messages: object[]) =>
      eventsOf((await ask(world, { host, path, body: { stream: true, tools, messages } })).text);
    const first = (await stream([])).map((event) => at(event, 'choices', 0));
    const call = at(first[0], 'delta', 'tool_calls', 0) as { id: string };
    expect(call).toMatchObject({ index: 0, type: 'function', function: { name: 'run_shell_command' } });
    const parts = first.map((choice) => at(choice, 'delta', 'tool_calls', 0, 'function', 'arguments'));
    expect(JSON.parse(joined(parts))).toEqual({ command: COMMAND });
    expect(first.map((choice) => at(choice, 'finish_reason'))).toContain('tool_calls');
    const second = await stream([{ role: 'tool', tool_call_id: call.id, content: '' }]);
    expect(joined(second.map((event) => at(event, 'choices', 0, 'delta', 'content')))).toBe(SCRIPT.answer);
    expect(second.at(-1)).toEqual({ done: true });
  });

  test('Copilot finds its API and its models by the token', async () => {
    const headers = { authorization: 'Bearer t' };
    const user = await ask(world, { host: 'api.github.com', path: '/copilot_internal/user', method: 'GET', headers });
    const api = new URL(String(at(JSON.parse(user.text), 'endpoints', 'api')));
    const models = await ask(world, { host: api.hostname, path: '/models', method: 'GET', headers });
    expect(at(JSON.parse(models.text), 'data', 0, 'capabilities', 'supports', 'tool_calls')).toBe(true);
  });
});

describe('Gemini', () => {
  const declaration = {
    name: 'write_file',
    parametersJsonSchema: { type: 'object', properties: { file_path: {}, content: {} } },
  };
  const post = (verb: string, body: object) =>
    ask(world, { host: 'generativelanguage.googleapis.com', path: `/v1beta/models/m:${verb}`, body });
  const parts = (value: unknown) => at(value, 'candidates', 0, 'content', 'parts') as Record<string, unknown>[];

  test('streams a call of the function, then the answer', async () => {
    const tools = [{ functionDeclarations: [declaration] }];
    const first = eventsOf((await post('streamGenerateContent?alt=sse', { tools, contents: [] })).text);
    const args = { file_path: SCRIPT.path, content: SCRIPT.content };
    expect(first.flatMap(parts)).toEqual([{ functionCall: { name: 'write_file', args } }]);
    const contents = [{ role: 'user', parts: [{ functionResponse: { name: 'write_file', response: {} } }] }];
    const second = eventsOf((await post('streamGenerateContent?alt=sse', { tools, contents })).text);
    expect(joined(second.flatMap(parts).map(({ text }) => text))).toBe(SCRIPT.answer);
  });

  test('answers in the JSON that is asked for, and counts tokens', async () => {
    const responseJsonSchema = {
      type: 'object',
      properties: { choice: { enum: ['flash', 'pro'] } },
      required: ['choice'],
    };
    const generationConfig = { responseMimeType: 'application/json', responseJsonSchema };
    const answer = JSON.parse((await post('generateContent', { contents: [], generationConfig })).text);
    expect(JSON.parse(String(parts(answer)[0]?.['text']))).toEqual({ choice: 'flash' });
    expect(JSON.parse((await post('countTokens', { contents: [] })).text)).toEqual({ totalTokens: expect.any(Number) });
  });
});
