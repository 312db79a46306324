/** Requests of the host to the guest agent and its answers, shared by both sides. */

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;

export interface ExecRequest {
  argv: string[];
  /** Default: the user's home */
  cwd?: string;
  /** Overrides the guest's own few variables. The configured environment of a sandbox comes with each command, never before */
  env?: Record<string, string>;
  /** Name or number; default `agent` */
  user?: string;
  /** A terminal of this size, which merges stderr into stdout */
  tty?: { cols: number; rows: number; term: string };
  /** False: stdin is empty */
  stdin: boolean;
  /** Each is used where the guest knows it; `env` wins */
  caller?: Caller;
}

/** What the caller's environment on the host says of the person. */
export interface Caller {
  /** As in `LANG` */
  locale?: string;
  /** As in `TZ`: Europe/Berlin */
  zone?: string;
  /** As in `COLORTERM`, for terminals */
  colours?: string;
}

/** Variable that gives login shells the configured PATH */
export const LOGIN_PATH = 'SBX_PATH';

export type ExecControl = { resize: { cols: number; rows: number } } | { signal: string };

export interface ExecResult {
  /** As a shell reports it: 126 not executable, 127 not found, 128 + n ended by signal n */
  code: number;
  signal?: string;
  /** It failed, and the kernel ended a process of it for lack of memory */
  outOfMemory?: true;
}

/** Starts a session of the sandbox's agent, or joins the one that has the terminal. */
export interface SessionRequest extends ExecRequest {
  /**
   * `owner`: the session ends with this client, and waits for it to read the output, of which nothing is lost. `viewer`: the session outlives
   * the client; there may be several, and a slow one misses the oldest output. `none`: detached; the stream closes at once with a `SessionInfo`
   */
  client: 'owner' | 'viewer' | 'none';
  /** When a session has the terminal already: true joins it, false fails as `busy` */
  join: boolean;
}

/** The first message to a client of a session. */
export interface SessionOpened {
  id: number;
  joined: boolean;
  /** Bytes of earlier output, which are sent first */
  replay: number;
}

export interface SessionInfo {
  id: number;
  terminal: boolean;
  /** The command line, shortened */
  command: string;
  startedAt: string;
  endedAt?: string;
  code?: number;
  signal?: string;
  /** It was running when the sandbox, or the agent in it, ended: its result is unknown */
  lost?: true;
  /** Terminals and streams attached now */
  clients: number;
}

/** Reads the record of a session, which comes on stdout; the result is a `SessionInfo`. */
export interface SessionLogRequest {
  /** Default: the one started last */
  id?: number;
  /** Continue until the session ends */
  follow: boolean;
}

/** A message of `session-watch`, sent at first and after each change. */
export interface SessionsRunning {
  running: number;
  /** Start time of the one started last */
  since?: string;
}

/** Writes a tree of the host, which comes as tar on stdin; the result is a `CopyResult`. */
export interface PutRequest {
  /** Absolute or below the user's home. In a folder that exists the tree is written as `name` */
  target: string;
  name: string;
  /** Owner of what is written; default `agent` */
  user?: string;
  mailbox?: MailboxWish;
}

/** The guest answers first with the number of a lane of the mailbox, `{lane}`; without one the archive comes on stdin or stdout. See lib/guest/copy/lane.ts */
type MailboxWish = true;

/** Reads a tree of the guest, which comes as tar on stdout; the result is a `CopyResult`. */
export interface GetRequest {
  /** Absolute or below the user's home */
  path: string;
  user?: string;
  mailbox?: MailboxWish;
}

/** Opens a TCP connection from inside: data on stdin and stdout, each of which may end first. */
export interface ConnectRequest {
  /** `localhost`: 127.0.0.1, then ::1, whatever the guest's own files say */
  host: string;
  port: number;
}

export interface ListeningPort {
  port: number;
  /** Short name of a process that has it */
  program?: string;
}

/** What the guest uses, as it says. */
export interface GuestUsage {
  /** Since it started, of all its processors */
  cpuMs: number;
  memoryUsedBytes: number;
  memoryBytes: number;
  /** Of its own disk */
  diskUsedBytes: number;
  diskBytes: number;
  processes: number;
}

/** Requests without a stream of data: the stream's `close` carries the answer. */
export interface Calls {
  /** `outOfMemory`: processes that the kernel ended since the guest started, and when the last was found, ISO 8601 */
  ping: { ask: Record<string, never>; answer: { ok: true; outOfMemory?: { kills: number; at: string } } };
  /** Sets the clock forward (or back), then returns the time: ms since 1970. `entropy`: base64, the kernel's generator is seeded again with it first */
  clock: { ask: { forwardMs?: number; entropy?: string }; answer: { nowMs: number } };
  usage: { ask: Record<string, never>; answer: GuestUsage };
  /** The system's trust store has changed */
  trusted: { ask: Record<string, never>; answer: { ok: true } };
  'prepare-snapshot': { ask: { dropCaches?: boolean }; answer: { ok: true } };
  /** TCP services on the loopback or on all addresses; the lowest port first */
  listening: { ask: Record<string, never>; answer: { ports: ListeningPort[] } };
  shutdown: { ask: Record<string, never>; answer: { ok: true } };
  /** The oldest first */
  sessions: { ask: Record<string, never>; answer: { sessions: SessionInfo[] } };
  /** Ends one session, or all; answers when they have ended */
  'session-end': { ask: { id?: number }; answer: { sessions: SessionInfo[] } };
}
