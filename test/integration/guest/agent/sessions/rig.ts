/** Sessions of an agent of the tests' own: none of one test lives in the next. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import type { SessionClient } from '../../../../../lib/guest/client/session-client.ts';
import type { SessionInfo, SessionRequest } from '../../../../../lib/guest/protocol/messages.ts';
import { type AgentRig, ask, readUntil, useAgent } from '../agent-rig.ts';

export const TTY = { cols: 80, rows: 24, term: 'xterm-256color' };

export interface SessionsRig extends AgentRig {
  /** The records are in `records` below it */
  readonly dir: string;
  sessions(): Promise<SessionInfo[]>;
  /** Those that have not ended */
  running(): Promise<SessionInfo[]>;
}

export function useSessions(): SessionsRig {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-sessions-'));
  });
  // Registered first, it runs last.
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const rig = useAgent({
    records: () => join(dir, 'records'),
    afterEach: async ({ guest }) => void (await guest.request('session-end', {})),
  });
  const sessions = async () => (await rig.guest.request('sessions', {})).sessions;
  return {
    get agent() {
      return rig.agent;
    },
    get guest() {
      return rig.guest;
    },
    get dir() {
      return dir;
    },
    sessions,
    running: async () => (await sessions()).filter(({ endedAt, lost }) => endedAt === undefined && lost === undefined),
  };
}

export const terminal = (script: string, more: Partial<SessionRequest> = {}): SessionRequest => ({
  ...ask(['sh', '-c', script]),
  stdin: true,
  tty: TTY,
  client: 'viewer',
  join: true,
  ...more,
});

export const owned = (script: string, more: Partial<SessionRequest> = {}): SessionRequest => ({
  ...ask(['sh', '-c', script]),
  client: 'owner',
  join: false,
  ...more,
});

export const until = async (look: () => Promise<boolean>) => {
  while (!(await look())) await sleep(20);
};

/** A joined terminal answers with its number: what `echo $$` of the session says. */
export const numberOf = async (session: SessionClient) =>
  Number(/\d+/.exec(await readUntil(session.stdout, /\d+\r\n/))?.[0]);
