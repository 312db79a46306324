/** One MCP server: started in its jail, asked within limits, started again with growing delays. What it sends is hostile. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { McpServer } from './config.ts';
import { jailArgs } from './jail.ts';
import type { Tool } from './tools.ts';

export interface UpstreamLimits {
  /** Bytes of one message */
  messageMax: number;
  toolsMax: number;
  /** Messages in a second that answer nothing */
  noiseMax: number;
  answerMs: number;
  callMs: number;
}

const LIMITS: UpstreamLimits = {
  messageMax: 4 * 1024 * 1024,
  toolsMax: 256,
  noiseMax: 500,
  answerMs: 20_000,
  callMs: 600_000,
};
const RETRY_MS = { first: 500, most: 60_000 };
/** A server that ran this long has not failed to start */
const STEADY_MS = 60_000;
const SAID_MAX = 500;

// Plain requests: `listTools` of the SDK compiles the schemas that the server sends.
const toolPage = z.object({
  tools: z.array(z.looseObject({ name: z.string().max(256) })),
  nextCursor: z.string().max(4096).optional(),
});
const callResult = z.looseObject({});

interface Running {
  client: Client;
  /** Undefined: to be listed again */
  tools: Promise<Tool[]> | undefined;
  startedAt: number;
}

export class Upstream implements AsyncDisposable {
  readonly server: McpServer;
  readonly #bwrap: string;
  readonly #limits: UpstreamLimits;
  readonly #onChange: () => void;
  #running: Promise<Running> | undefined;
  #failures = 0;
  #retryAt = 0;
  #closed = false;
  /** Why it does not run */
  problem: string | undefined;

  constructor(
    server: McpServer,
    {
      bwrap,
      onChange = () => {},
      limits = {},
    }: { bwrap: string; onChange?: () => void; limits?: Partial<UpstreamLimits> },
  ) {
    this.server = server;
    this.#bwrap = bwrap;
    this.#onChange = onChange;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** @throws when it does not run, or does not answer within the limits */
  async tools(): Promise<Tool[]> {
    const running = await this.#ensure();
    running.tools ??= this.#list(running.client);
    try {
      return await running.tools;
    } catch (error) {
      await this.#end(running, error);
      throw error;
    }
  }

  /** @throws as `tools`, and the errors of the server */
  async call(name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<Record<string, unknown>> {
    const { client } = await this.#ensure();
    const timeout = this.#limits.callMs;
    return client.request({ method: 'tools/call', params: { name, arguments: args } }, callResult, { signal, timeout });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await (await this.#running?.catch(() => undefined))?.client.close();
  }

  #ensure(): Promise<Running> {
    if (this.#closed) throw new Error('the gateway ends');
    if (this.#running !== undefined) return this.#running;
    const wait = this.#retryAt - Date.now();
    if (wait > 0) throw new Error(`${this.problem ?? 'it ended'}; started again in ${Math.ceil(wait / 1000)} s`);
    const starting = this.#start();
    this.#running = starting;
    starting.catch((error) => this.#failed(starting, error));
    return starting;
  }

  async #start(): Promise<Running> {
    const { answerMs: timeout, messageMax: maxBufferSize } = this.#limits;
    const args = jailArgs(this.server);
    const transport = new StdioClientTransport({ command: this.#bwrap, args, stderr: 'pipe', maxBufferSize });
    const said = lastOf(transport.stderr);
    const client = new Client({ name: 'sbx', version: '1' });
    const running: Running = { client, tools: undefined, startedAt: Date.now() };
    const mine = () => this.#running;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      running.tools = undefined;
      this.#onChange();
    });
    const noise = this.#noise(() => void client.close());
    client.onerror = noise;
    try {
      await client.connect(transport, { timeout });
    } catch (error) {
      await client.close();
      throw new Error(`${textOf(error)}${said() === '' ? '' : `: ${said()}`}`, { cause: error });
    }
    const receive = transport.onmessage;
    transport.onmessage = (message) => {
      if ('method' in message) noise();
      receive?.(message);
    };
    const started = mine();
    client.onclose = () => this.#failed(started, new Error(`it ended${said() === '' ? '' : `: ${said()}`}`), running);
    this.problem = undefined;
    this.#onChange();
    return running;
  }

  /** Ends a server that floods the gateway. */
  #noise(end: () => void): () => void {
    let [second, count] = [0, 0];
    return () => {
      const now = Math.floor(Date.now() / 1000);
      count = second === now ? count + 1 : 1;
      second = now;
      if (count === this.#limits.noiseMax) end();
    };
  }

  async #list(client: Client): Promise<Tool[]> {
    const tools = new Map<string, Tool>();
    let cursor: string | undefined;
    do {
      const params = cursor === undefined ? {} : { cursor };
      const timeout = this.#limits.answerMs;
      const page = await client.request({ method: 'tools/list', params }, toolPage, { timeout });
      for (const tool of page.tools) {
        if (tools.has(tool.name)) throw new Error(`it lists the tool ${tool.name} twice`);
        tools.set(tool.name, tool);
      }
      if (tools.size > this.#limits.toolsMax) throw new Error(`it has more than ${this.#limits.toolsMax} tools`);
      if (page.tools.length === 0 && page.nextCursor !== undefined) throw new Error('its list of tools has no end');
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return [...tools.values()];
  }

  async #end({ client }: Running, cause: unknown): Promise<void> {
    this.problem = textOf(cause);
    await client.close();
  }

  #failed(which: Promise<Running> | undefined, error: unknown, running?: Running): void {
    if (which === undefined || this.#running !== which) return;
    this.#running = undefined;
    const steady = running !== undefined && Date.now() - running.startedAt > STEADY_MS;
    this.#failures = steady ? 1 : this.#failures + 1;
    this.#retryAt = Date.now() + Math.min(RETRY_MS.first * 2 ** (this.#failures - 1), RETRY_MS.most);
    this.problem = this.problem ?? textOf(error);
    this.#onChange();
  }
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, SAID_MAX);
}

/** The last that it wrote to stderr, which may be endless. */
function lastOf(stream: { on(event: 'data', listener: (chunk: Buffer) => void): unknown } | null): () => string {
  let last = '';
  stream?.on('data', (chunk) => {
    last = `${last}${chunk.toString('utf8')}`.slice(-SAID_MAX);
  });
  return () => last.trim().split('\n').at(-1) ?? '';
}
