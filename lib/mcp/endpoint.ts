/** The MCP endpoint of one sandbox: streamable HTTP on a Unix socket. The guest is hostile: bodies and connections are bounded. */
import { rmSync } from 'node:fs';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import type { McpGateway } from './gateway.ts';

const BODY_MAX = 4 * 1024 * 1024;
const CONNECTIONS_MAX = 64;

/** The SDK would make a compiler of schemas for each request, for questions that this server never asks */
const NO_VALIDATOR = {
  getValidator(): never {
    throw new Error('no schema is compiled here');
  },
};

/** Without sessions: a request carries all that it needs, so that neither a restart nor a suspended guest loses any. */
export async function openEndpoint(socket: string, gateway: McpGateway): Promise<AsyncDisposable> {
  rmSync(socket, { force: true });
  const http = createServer((request, response) => {
    answer(gateway, request, response).catch(() => response.destroy());
  });
  http.maxConnections = CONNECTIONS_MAX;
  http.headersTimeout = 10_000;
  http.requestTimeout = 60_000;
  await listening(http, socket);
  return {
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function listening(http: HttpServer, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(socket, resolve);
  });
}

async function answer(gateway: McpGateway, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // No streams of the server's own and no sessions to end.
  if (request.method !== 'POST') return end(response, 405, 'only POST is served');
  const text = await bodyOf(request);
  if (text === undefined) return end(response, 413, `a request has at most ${BODY_MAX} bytes`);
  const body = parsed(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return end(response, 400, 'the body must be one JSON-RPC message');
  const server = serverOf(gateway);
  // No `sessionIdGenerator`: stateless
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.once('close', () => void server.close());
  await server.connect(transport as Parameters<Server['connect']>[0]);
  await transport.handleRequest(request, response, body);
}

function serverOf(gateway: McpGateway): Server {
  const options = { capabilities: { tools: {} }, jsonSchemaValidator: NO_VALIDATOR };
  const server = new Server({ name: 'sbx', version: '1' }, options);
  server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: (await gateway.tools()) as never[] }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    try {
      return await gateway.call(params.name, params.arguments ?? {}, signal);
    } catch (error) {
      // The agent reads it as the result of its call.
      const text = `sbx: ${error instanceof Error ? error.message : String(error)}`;
      return { isError: true, content: [{ type: 'text', text }] };
    }
  });
  return server;
}

/** Undefined: it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`sbx: ${text}\n`);
}
