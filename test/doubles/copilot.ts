/** Test double of GitHub's API and of the Copilot API, as much as one turn needs: who the token is of, the models, the turn itself. */
import { messages } from './anthropic.ts';
import type { Double, DoubleAnswer, DoubleRequest, Script } from './double.ts';
import { responses } from './openai.ts';
import { chatTurn } from './openai-chat.ts';

const API = 'api.individual.githubcopilot.com';

export const github: Double = {
  name: 'github',
  hosts: ['api.github.com'],
  answer({ method, path }) {
    if (method === 'GET' && path === '/copilot_internal/user') return { status: 200, json: USER };
    return undefined;
  },
  unknown: ({ method, path }) => ({
    status: 404,
    // Without the identifier of the request, Copilot takes the answer for a firewall's, and asks again.
    headers: { 'x-github-request-id': 'DOUB:1E' },
    json: { message: `${method} ${path} is not of this double`, documentation_url: DOCS, status: '404' },
  }),
};

const DOCS = 'https://docs.github.com/rest';

const USER = {
  login: 'double',
  access_type_sku: 'monthly_subscriber_quota',
  analytics_tracking_id: 'double',
  chat_enabled: true,
  cli_enabled: true,
  copilot_plan: 'individual',
  organization_list: [],
  organization_login_list: [],
  endpoints: {
    api: `https://${API}`,
    'origin-tracker': 'https://origin-tracker.individual.githubcopilot.com',
    proxy: 'https://proxy.individual.githubcopilot.com',
    telemetry: 'https://telemetry.individual.githubcopilot.com',
  },
};

export const copilot: Double = {
  name: 'copilot',
  hosts: ['*.githubcopilot.com'],
  answer: (request, script) => (request.host.startsWith('api.') ? copilotApi(request, script) : undefined),
  unknown: ({ method, path }) => ({
    status: 404,
    json: { error: { message: `${method} ${path} is not of this double`, code: 'not_found' } },
  }),
};

function copilotApi(request: DoubleRequest, script: Script): DoubleAnswer | undefined {
  const { method, path, body } = request;
  if (method === 'GET' && path === '/models') return { status: 200, json: { object: 'list', data: [MODEL] } };
  if (method !== 'POST') return undefined;
  if (path === '/chat/completions') return chatTurn(body, script);
  if (path === '/responses') return responses(body, script);
  if (path === '/v1/messages') return messages(request, script);
  return undefined;
}

const MODEL = {
  id: 'claude-sonnet-5',
  name: 'Claude Sonnet 5',
  object: 'model',
  vendor: 'Anthropic',
  version: 'claude-sonnet-5',
  preview: false,
  is_chat_default: true,
  model_picker_enabled: true,
  policy: { state: 'enabled', terms: '' },
  supported_endpoints: ['/chat/completions'],
  capabilities: {
    object: 'model_capabilities',
    family: 'claude-sonnet-5',
    type: 'chat',
    tokenizer: 'o200k_base',
    limits: { max_context_window_tokens: 200_000, max_output_tokens: 16_000, max_prompt_tokens: 128_000 },
    supports: { streaming: true, tool_calls: true, parallel_tool_calls: true },
  },
};
