/** The OpenAI Responses API of the doubles: one turn as the events that both a stream and a WebSocket carry. Pure. */
import { halves, listOf, type Script, tableOf } from './double.ts';
import { writeCall, writeCommand } from './tool-call.ts';

const CALL = 'call_double';

export type ResponsesEvent = { type: string } & Record<string, unknown>;

/** `body`: of POST /v1/responses, or of the message `response.create` */
export function responsesTurn(body: unknown, script: Script): ResponsesEvent[] {
  const { model, input } = tableOf(body);
  const done = listOf(input).some((item) => tableOf(item)['call_id'] === CALL);
  const response = { id: 'resp_double', object: 'response', created_at: 1, model: model ?? 'double', output: [] };
  const { item, deltas } = done ? message(script.answer) : firstStep(body, script);
  const events = [
    { type: 'response.created', response: { ...response, status: 'in_progress' } },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, ...EMPTY[item.type] } },
    ...deltas,
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { ...response, status: 'completed', output: [item], usage: USAGE } },
  ];
  return events.map((event, index) => ({ ...event, sequence_number: index }));
}

const USAGE = {
  input_tokens: 42,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 49,
};

const EMPTY: Record<string, object> = {
  message: { status: 'in_progress', content: [] },
  function_call: { status: 'in_progress', arguments: '' },
  custom_tool_call: { status: 'in_progress', input: '' },
};

interface Step {
  item: { type: string } & Record<string, unknown>;
  deltas: ResponsesEvent[];
}

function firstStep(body: unknown, script: Script): Step {
  const tools = offeredTools(body);
  const code = tools.find(({ type, name }) => type === 'custom' && name === 'exec');
  if (code !== undefined) return codeCall(code, script);
  const call = writeCall(tools, script);
  return call === undefined ? message(script.answer) : functionCall(call.name, JSON.stringify(call.arguments));
}

interface ResponsesTool {
  type: unknown;
  name: string;
  namespace: unknown;
  schema: unknown;
}

/** Those of `tools`, and those that Codex hands over as a part of the input, in namespaces. */
function offeredTools(body: unknown): ResponsesTool[] {
  const { tools, input } = tableOf(body);
  const more = listOf(input).flatMap((item) => (tableOf(item)['type'] === 'additional_tools' ? [item] : []));
  return [...listOf(tools), ...more.flatMap((item) => listOf(tableOf(item)['tools']))].flatMap((tool) => {
    const { type, name, tools: inner } = tableOf(tool);
    if (type !== 'namespace') return [responsesTool(tool, undefined)];
    return listOf(inner).map((one) => responsesTool(one, name));
  });
}

function responsesTool(tool: unknown, namespace: unknown): ResponsesTool {
  const { type, name, parameters } = tableOf(tool);
  return { type, name: String(name), namespace, schema: parameters };
}

function message(text: string): Step {
  const at = { item_id: 'msg_double', output_index: 0, content_index: 0 };
  const part = { type: 'output_text', text, annotations: [] };
  const item = { id: 'msg_double', type: 'message', role: 'assistant', status: 'completed', content: [part] };
  return {
    item,
    deltas: [
      { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
      ...halves(text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
      { type: 'response.output_text.done', ...at, text },
      { type: 'response.content_part.done', ...at, part },
    ],
  };
}

function functionCall(name: string, text: string): Step {
  const at = { item_id: 'fc_double', output_index: 0 };
  const item = { id: 'fc_double', type: 'function_call', status: 'completed', call_id: CALL, name, arguments: text };
  return {
    item,
    deltas: [
      ...halves(text).map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
      { type: 'response.function_call_arguments.done', ...at, arguments: text },
    ],
  };
}

/** Codex's newer models have one tool, which runs JavaScript that calls the others. */
function codeCall({ name, namespace }: ResponsesTool, script: Script): Step {
  const input = `const done = await tools.exec_command({ cmd: ${JSON.stringify(writeCommand(script))} });\ntext(done.output);`;
  const at = { item_id: 'ctc_double', output_index: 0 };
  const call = { id: 'ctc_double', type: 'custom_tool_call', status: 'completed', call_id: CALL, name, input };
  return {
    item: namespace === undefined ? call : { ...call, namespace },
    deltas: [
      ...halves(input).map((delta) => ({ type: 'response.custom_tool_call_input.delta', ...at, delta })),
      { type: 'response.custom_tool_call_input.done', ...at, input },
    ],
  };
}
