/** Test double of the Anthropic Messages API: streaming and not, tool use, counting of tokens. */
import {
  type Double,
  type DoubleAnswer,
  type DoubleRequest,
  halves,
  isTable,
  listOf,
  type Script,
  tableOf,
} from './double.ts';
import { type ToolCall, writeCall } from './tool-call.ts';

export const anthropic: Double = {
  name: 'anthropic',
  hosts: ['api.anthropic.com'],
  answer(request, script) {
    const { method, path } = request;
    if (method === 'POST' && path === '/v1/messages') return messages(request, script);
    if (method === 'POST' && path === '/v1/messages/count_tokens') return { status: 200, json: { input_tokens: 42 } };
    // Claude Code asks whether it is there.
    if (method === 'HEAD' && path === '/') return { status: 200, json: {} };
    if (method === 'GET' && path === '/api/hello') return { status: 200, json: { message: 'hello' } };
    return undefined;
  },
  unknown: ({ method, path }) => ({
    status: 404,
    json: { type: 'error', error: { type: 'not_found_error', message: `${method} ${path} is not of this double` } },
  }),
};

const CALL = 'toolu_01double';

export function messages({ body }: DoubleRequest, script: Script): DoubleAnswer {
  const { model, stream, tools, messages: turns } = tableOf(body);
  const offered = listOf(tools).map((tool) => {
    const { name, input_schema } = tableOf(tool);
    return { name: String(name), schema: input_schema };
  });
  const call = hasResult(turns) ? undefined : writeCall(offered, script);
  const message = {
    id: 'msg_01double',
    type: 'message',
    role: 'assistant',
    model: model ?? 'double',
    content: [] as unknown[],
    stop_reason: null as string | null,
    stop_sequence: null,
    usage: { input_tokens: 42, output_tokens: 7, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
  };
  const reason = call === undefined ? 'end_turn' : 'tool_use';
  const block = call === undefined ? { type: 'text', text: script.answer } : toolUse(call);
  if (stream !== true) return { status: 200, json: { ...message, content: [block], stop_reason: reason } };
  return { events: eventsOf(message, block, reason).map((data) => ({ event: data.type, data })) };
}

const hasResult = (turns: unknown) =>
  listOf(turns).some((turn) =>
    listOf(tableOf(turn)['content']).some((block) => isTable(block) && block['tool_use_id'] === CALL),
  );

const toolUse = (call: ToolCall) => ({ type: 'tool_use', id: CALL, name: call.name, input: call.arguments });

type Block = { type: string; text: string } | ReturnType<typeof toolUse>;

function eventsOf(message: Record<string, unknown>, block: Block, reason: string) {
  const empty = 'text' in block ? { ...block, text: '' } : { ...block, input: {} };
  const parts =
    'text' in block
      ? halves(block.text).map((text) => ({ type: 'text_delta', text }))
      : halves(JSON.stringify(block.input)).map((text) => ({ type: 'input_json_delta', partial_json: text }));
  return [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: empty },
    { type: 'ping' },
    ...parts.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 7 } },
    { type: 'message_stop' },
  ];
}
