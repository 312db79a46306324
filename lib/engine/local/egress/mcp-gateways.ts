/** Runs the MCP gateway of each sandbox with `[mcp]`: a process of its own, which ends with the daemon. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { McpConfig } from '../../../mcp/config.ts';
import { type Home, instancePaths } from '../../../paths.ts';
import type { McpServerSpec } from '../../../spec/spec.ts';

interface McpGatewaysDeps {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
}

/** A start does not wait longer: the endpoint answers when its process is ready */
const READY_MS = 5_000;
const RETRY_MS = { first: 1_000, most: 60_000 };
/** What hostile servers send is bounded, and so is the process */
const MEMORY_MIB = 512;

export class McpGateways implements Disposable {
  readonly #deps: McpGatewaysDeps;
  readonly #open = new Map<string, { key: string; process: GatewayProcess }>();

  constructor(deps: McpGatewaysDeps) {
    this.#deps = deps;
  }

  /** The servers of a sandbox from now on. Returns when its endpoint answers, or does not within some seconds. */
  async set(id: string, servers: readonly McpServerSpec[]): Promise<void> {
    const plain = servers.map(({ source: _, ...server }) => server);
    const key = JSON.stringify(plain);
    const found = this.#open.get(id);
    if (plain.length === 0 ? found === undefined : found?.key === key) return;
    this.#open.delete(id);
    found?.process[Symbol.dispose]();
    if (plain.length === 0) return;
    const config: McpConfig = { ...instancePaths(this.#deps.home, id).mcp, bwrap: 'bwrap', servers: plain };
    const process = new GatewayProcess(join(this.#deps.distDir, 'mcp-gateway.js'), config);
    this.#open.set(id, { key, process });
    await process.ready;
  }

  [Symbol.dispose](): void {
    for (const { process } of this.#open.values()) process[Symbol.dispose]();
    this.#open.clear();
  }
}

/** Started again when it ends, later each time. */
class GatewayProcess implements Disposable {
  readonly ready: Promise<void>;
  readonly #program: string;
  readonly #config: McpConfig;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failures = 0;

  constructor(program: string, config: McpConfig) {
    this.#program = program;
    this.#config = config;
    this.ready = this.#start();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    // Its servers end with it.
    this.#child?.kill('SIGKILL');
  }

  #start(): Promise<void> {
    const args = [`--max-old-space-size=${MEMORY_MIB}`, this.#program];
    // Nothing else of the daemon's environment: a secret may be there.
    const env = { PATH: process.env['PATH'] };
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'], env, cwd: '/' });
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stdin.write(`${JSON.stringify(this.#config)}\n`);
    child.once('error', () => this.#again());
    child.once('exit', () => this.#again());
    child.unref();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, READY_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      child.stdout.once('data', done);
      child.once('error', done);
      child.once('exit', done);
    });
  }

  #again(): void {
    if (this.#closed || this.#timer !== undefined) return;
    const wait = Math.min(RETRY_MS.first * 2 ** this.#failures++, RETRY_MS.most);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#start();
    }, wait).unref();
  }
}
