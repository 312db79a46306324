/** Test double of api.openai.com: Responses by HTTP and by WebSocket, Chat Completions. */
import { type Double, type DoubleAnswer, type DoubleRequest, isTable, type Script, tableOf } from './double.ts';
import { chatTurn } from './openai-chat.ts';
import { responsesTurn } from './openai-responses.ts';

export const openai: Double = {
  name: 'openai',
  hosts: ['api.openai.com'],
  answer({ method, path, body }, script) {
    if (method === 'POST' && path === '/v1/responses') return responses(body, script);
    if (method === 'POST' && path === '/v1/chat/completions') return chatTurn(body, script);
    return undefined;
  },
  unknown: openaiUnknown,
  socket: ({ path }, script) =>
    path === '/v1/responses' && script.websocket !== false ? responsesSocket(script) : undefined,
};

/** Another company's service that speaks Chat Completions, as Qwen Code's own does. */
export const compatible: Double = {
  name: 'compatible',
  hosts: ['dashscope-intl.aliyuncs.com'],
  answer: ({ method, path, body }, script) =>
    method === 'POST' && path === '/compatible-mode/v1/chat/completions' ? chatTurn(body, script) : undefined,
  unknown: openaiUnknown,
};

/** A model server of the user's own machine, as the guest names it. */
export const ownServer: Double = {
  name: 'own',
  hosts: ['model.host.sbx'],
  answer: ({ method, path, body }, script) =>
    method === 'POST' && path === '/v1/chat/completions' ? chatTurn(body, script) : undefined,
  unknown: openaiUnknown,
};

function openaiUnknown({ method, path }: DoubleRequest): DoubleAnswer {
  const message = `${method} ${path} is not of this double`;
  return { status: 404, json: { error: { message, type: 'invalid_request_error', param: null, code: null } } };
}

export function responses(body: unknown, script: Script): DoubleAnswer {
  const events = responsesTurn(body, script);
  if (tableOf(body)['stream'] === true) return { events: events.map((data) => ({ event: data.type, data })) };
  return { status: 200, json: events.at(-1)?.['response'] };
}

function responsesSocket(script: Script): (message: unknown) => unknown[] {
  return (message) =>
    isTable(message) && message['type'] === 'response.create'
      ? responsesTurn(message, script)
      : [{ type: 'error', status: 400, error: { type: 'invalid_request_error', message: 'not of this double' } }];
}
