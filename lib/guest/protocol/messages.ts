/** What the host may ask of the guest's agent: shapes shared by both sides. */

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;

export interface ExecRequest {
  argv: string[];
  /** Default: the user's home */
  cwd?: string;
  /** Over the guest's own few. What a sandbox is configured with comes with each command, never before */
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

/** Begins a session of the sandbox's agent, or joins the one that has the terminal. */
export interface SessionRequest extends ExecRequest {
  /**
   * `owner`: it ends with this client, and waits for it to take its output, of which nothing is lost. `viewer`: it goes on without; with
   * others at once; who is slow misses the oldest. `none`: it runs by itself, and the stream closes at once with a `SessionInfo`
   */
  client: 'owner' | 'viewer' | 'none';
  /** A session that has a terminal runs already: join it, or be refused as `busy` */
  join: boolean;
}

/** The first message to a client of a session. */
export interface SessionOpened {
  id: number;
  joined: boolean;
  /** Bytes of earlier output that come first */
  replay: number;
}

export interface SessionInfo {
  id: number;
  terminal: boolean;
  /** What runs, shortened */
  command: string;
  startedAt: string;
  endedAt?: string;
  code?: number;
  signal?: string;
  /** It was running when the sandbox, or the agent in it, ended: nobody knows its end */
  lost?: true;
  /** Terminals and streams that see it now */
  clients: number;
}

/** Its record on stdout; the result is a `SessionInfo`. */
export interface SessionLogRequest {
  /** Default: the one begun last */
  id?: number;
  /** Go on until it ends */
  follow: boolean;
}

/** A message of `session-watch`, at first and after each change. */
export interface SessionsRunning {
  running: number;
  /** Of them, the one begun last */
  since?: string;
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
  /** Sets the clock forward (or back), then says what time it is: ms since 1970 */
  clock: { ask: { forwardMs?: number }; answer: { nowMs: number } };
  /** What the system trusts has changed */
  trusted: { ask: Record<string, never>; answer: { ok: true } };
  'prepare-snapshot': { ask: { dropCaches?: boolean }; answer: { ok: true } };
  shutdown: { ask: Record<string, never>; answer: { ok: true } };
  /** The oldest first */
  sessions: { ask: Record<string, never>; answer: { sessions: SessionInfo[] } };
  /** Ends one, or all; answers when they have ended */
  'session-end': { ask: { id?: number }; answer: { sessions: SessionInfo[] } };
}
