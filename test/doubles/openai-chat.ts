/** The OpenAI Chat Completions API of the doubles: streaming and not, tool calls. Pure. */
import { type DoubleAnswer, halves, listOf, type Script, tableOf } from './double.ts';
import { writeCall } from './tool-call.ts';

const CALL = 'call_double';

/** `body`: of POST /v1/chat/completions */
export function chatTurn(body: unknown, script: Script): DoubleAnswer {
  const { model, stream, tools, messages } = tableOf(body);
  const offered = listOf(tools).map((tool) => {
    const { name, parameters } = tableOf(tableOf(tool)['function']);
    return { name: String(name), schema: parameters };
  });
  const done = listOf(messages).some((message) => tableOf(message)['tool_call_id'] === CALL);
  const call = done ? undefined : writeCall(offered, script);
  const head = { id: 'chatcmpl-double', created: 1, model: model ?? 'double' };
  const finish_reason = call === undefined ? 'stop' : 'tool_calls';
  const text = call === undefined ? script.answer : JSON.stringify(call.arguments);
  const toolCall = (part: string) => ({ id: CALL, type: 'function', function: { name: call?.name, arguments: part } });
  if (stream !== true) {
    const said = call === undefined ? { content: text } : { content: null, tool_calls: [toolCall(text)] };
    const choices = [{ index: 0, message: { role: 'assistant', ...said }, finish_reason }];
    return { status: 200, json: { ...head, object: 'chat.completion', choices, usage: USAGE } };
  }
  const [first = '', second = ''] = halves(text);
  const deltas =
    call === undefined
      ? [{ role: 'assistant', content: first }, { content: second }]
      : [
          { role: 'assistant', content: null, tool_calls: [{ index: 0, ...toolCall(first) }] },
          { tool_calls: [{ index: 0, function: { arguments: second } }] },
        ];
  const chunk = (choices: unknown[], usage: unknown = null) => ({
    data: { ...head, object: 'chat.completion.chunk', choices, usage },
  });
  return {
    events: [
      ...deltas.map((delta) => chunk([{ index: 0, delta, finish_reason: null }])),
      chunk([{ index: 0, delta: {}, finish_reason }]),
      chunk([], USAGE),
      { data: '[DONE]' },
    ],
  };
}

const USAGE = { prompt_tokens: 42, completion_tokens: 7, total_tokens: 49 };
