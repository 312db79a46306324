/** Joins the MCP servers of one sandbox: their approved tools, calls of them, the log and the state for `sbx mcp`. */
import { sync as writeFileAtomic } from 'write-file-atomic';
import { logCall } from './call-log.ts';
import type { McpConfig } from './config.ts';
import { pinsOf, readPins, writePins } from './pins.ts';
import type { McpState } from './state.ts';
import { type ListedTool, listTools, type Tool } from './tools.ts';
import { Upstream, type UpstreamLimits } from './upstream.ts';

const CALLS_MAX = 32;
/** Waiting for servers that start: before a call, for a listing, without a client */
const CALL_MS = 1_000;
const LIST_MS = 10_000;
const REFRESH_MS = 60_000;

export class McpGateway implements AsyncDisposable {
  readonly #config: McpConfig;
  readonly #upstreams: Upstream[];
  #calls = 0;
  #written = '';

  constructor(config: McpConfig, limits: Partial<UpstreamLimits> = {}) {
    this.#config = config;
    this.#upstreams = config.servers.map(
      (server) => new Upstream(server, { bwrap: config.bwrap, limits, onChange: () => void this.refresh() }),
    );
  }

  /** Tools for the sandbox, under its names. A server that fails has none. */
  async tools(): Promise<Tool[]> {
    const listed = await this.#listed(LIST_MS);
    return listed.flatMap(({ tool, name }) => (name === undefined ? [] : [{ ...tool, name }]));
  }

  /** @throws with the reason for the agent */
  async call(name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<Record<string, unknown>> {
    const startedAt = Date.now();
    const found = await this.#find(name);
    const record = (verdict: 'ok' | 'failed' | 'error' | 'denied', result: unknown) =>
      logCall(this.#config.log, {
        time: new Date().toISOString(),
        server: found?.server ?? '',
        tool: found?.tool.name ?? name,
        verdict,
        durationMs: Date.now() - startedAt,
        arguments: JSON.stringify(args),
        result: typeof result === 'string' ? result : JSON.stringify(result),
      });
    const upstream = this.#upstreams.find(({ server }) => server.name === found?.server);
    if (found === undefined || upstream === undefined) {
      record('denied', 'no such tool');
      throw new Error('no such tool: `sbx mcp ls` on the host shows which are withheld, and why');
    }
    if (this.#calls >= CALLS_MAX) {
      record('denied', 'too many calls');
      throw new Error(`more than ${CALLS_MAX} calls at once`);
    }
    this.#calls++;
    try {
      const result = await upstream.call(found.tool.name, args, signal);
      record(result['isError'] === true ? 'failed' : 'ok', result);
      return result;
    } catch (error) {
      record('error', error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.#calls--;
    }
  }

  /** A server that hangs does not delay the calls of the others for long. */
  async #find(name: string): Promise<ListedTool | undefined> {
    const among = async (ms: number) => (await this.#listed(ms)).find((one) => one.name === name);
    return (await among(CALL_MS)) ?? (await among(LIST_MS));
  }

  /** Starts the servers that do not run, and writes the state. */
  async refresh(): Promise<void> {
    await this.#listed(REFRESH_MS).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#upstreams.map((one) => one[Symbol.asyncDispose]()));
  }

  /** `ms`: for a server that starts */
  async #listed(ms: number): Promise<ListedTool[]> {
    const tools = await Promise.all(this.#upstreams.map((one) => toolsWithin(one, ms)));
    const pins = readPins(this.#config.pins);
    const listed = listTools(
      this.#upstreams.map(({ server }, index) => ({
        server: server.name,
        tools: tools[index],
        patterns: server.tools,
        pins: pinsOf(pins, server),
      })),
    );
    this.#approveFirst(listed, tools);
    this.#writeState(listed);
    return listed;
  }

  /** The tools of the first listing after the approval of the file are the approved ones. */
  #approveFirst(listed: ListedTool[], tools: (Tool[] | undefined)[]): void {
    const pins = readPins(this.#config.pins);
    for (const [index, { server }] of this.#upstreams.entries()) {
      if (tools[index] === undefined || pinsOf(pins, server) !== undefined) continue;
      const own = listed.filter((one) => one.server === server.name);
      writePins(this.#config.pins, server, Object.fromEntries(own.map(({ tool, hash }) => [tool.name, hash])));
    }
  }

  #writeState(listed: ListedTool[]): void {
    const state: McpState = {
      servers: this.#upstreams.map(({ server, problem }) => ({
        name: server.name,
        ...(problem === undefined ? {} : { problem }),
        tools: listed
          .filter((one) => one.server === server.name)
          .map(({ tool, name, hash, state: toolState }) => ({
            name: tool.name,
            hash,
            state: toolState,
            ...(name === undefined ? {} : { as: name }),
            description: String(tool['description'] ?? '').slice(0, 1_000),
          })),
      })),
    };
    const text = JSON.stringify(state);
    if (text === this.#written) return;
    writeFileAtomic(this.#config.state, text, { mode: 0o600 });
    this.#written = text;
  }
}

async function toolsWithin(upstream: Upstream, ms: number): Promise<Tool[] | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([upstream.tools(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
