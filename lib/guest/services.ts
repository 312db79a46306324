/** What the host may ask of the guest's agent: shapes shared by both sides. */

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;

export interface ExecRequest {
  argv: string[];
  /** Default: the user's home */
  cwd?: string;
  /** Over the sandbox's own environment */
  env?: Record<string, string>;
  /** Name or number; default `agent` */
  user?: string;
  /** A terminal of this size; stdout and stderr are then one */
  tty?: { cols: number; rows: number; term: string };
  /** False: stdin is empty */
  stdin: boolean;
}

export type ExecControl = { resize: { cols: number; rows: number } } | { signal: string };

export interface ExecResult {
  /** As a shell tells it: 126 not executable, 127 not found, 128 + n ended by signal n */
  code: number;
  signal?: string;
}

/** A tree of the host as tar on stdin; the result is a `CopyResult`. */
export interface PutRequest {
  /** Absolute or below the user's home. A folder that exists takes the tree in, as `name` */
  target: string;
  name: string;
  /** Owner of what is written; default `agent` */
  user?: string;
}

/** A tree of the guest as tar on stdout; the result is a `CopyResult`. */
export interface GetRequest {
  /** Absolute or below the user's home */
  path: string;
  user?: string;
}

export interface ConnectRequest {
  host: string;
  port: number;
}

/** A request without a stream of data: the stream's `close` carries the answer. */
export interface Calls {
  ping: { ask: Record<string, never>; answer: { ok: true } };
  /** The environment of every command that begins after it */
  configure: { ask: { env: Record<string, string> }; answer: { ok: true } };
  /** What the system trusts has changed */
  trusted: { ask: Record<string, never>; answer: { ok: true } };
  'prepare-snapshot': { ask: { dropCaches?: boolean }; answer: { ok: true } };
  shutdown: { ask: Record<string, never>; answer: { ok: true } };
}
