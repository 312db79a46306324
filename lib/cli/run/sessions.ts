/** Starts, joins and ends sessions of the agent. */
import type { DaemonClient } from '../../api/client.ts';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
import { GuestConnection } from '../../guest/client/connection.ts';
import { openSession, startDetached } from '../../guest/client/session-client.ts';
import type { SessionInfo, SessionRequest } from '../../guest/protocol/messages.ts';
import { detachKeys } from '../terminal/detach-keys.ts';
import { terminalSize } from '../terminal/terminal.ts';
import { sayOutOfMemory } from '../view/out-of-memory.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { attach } from './attach.ts';
import { callerOf } from './caller.ts';

/** A sandbox, and the daemon that leads to it. */
export interface Target {
  client: DaemonClient;
  sandbox: SandboxStatus;
}

export async function connectGuest({ client, sandbox }: Target): Promise<GuestConnection> {
  return GuestConnection.open((await client.guest(sandbox.id)).socket);
}

export interface TerminalRun {
  argv: string[];
  /** Attach to a running session, if there is one */
  join: boolean;
  /** As written: `ctrl-],d` */
  keys: string;
}

/** Returns the agent's exit code, or 0 when the user has detached. */
export async function runOnTerminal(target: Target, run: TerminalRun): Promise<number> {
  const { sandbox } = target;
  const keys = detachKeys(run.keys);
  await using guest = await connectGuest(target);
  const { argv, join } = run;
  const session = openSession(guest, { ...onTerminal(sandbox, argv), client: 'viewer', join });
  const { joined } = await session.opened;
  say(
    `${joined ? 'attached to the agent in' : 'started the agent in'} ${sandbox.name}; detach with ${run.keys.split(',').join(' ')}`,
  );
  const result = await attach(session, { keys, ping: () => guest.request('ping', {}) });
  if (result !== undefined) {
    sayOutOfMemory(result);
    return result.code;
  }
  say(`detached; the agent continues. Attach again with: sbx run ${sandbox.name}`);
  return 0;
}

export async function runDetached(
  target: Target,
  request: { argv: string[]; terminal: boolean; join: boolean },
  view: View,
): Promise<number> {
  const { sandbox } = target;
  await using guest = await connectGuest(target);
  const { argv, join, terminal } = request;
  const start = terminal ? onTerminal(sandbox, argv) : { ...requestBase(sandbox, argv), stdin: false };
  const info = await startDetached(guest, { ...start, join });
  const ways = terminal ? `\`sbx run ${sandbox.name}\` attaches to it, ` : '';
  view.result(
    { sandbox: sandbox.name, session: info },
    `${sandbox.name}: session ${info.id} runs; ${ways}\`sbx logs -f ${sandbox.name}\` shows it, \`sbx run --end ${sandbox.name}\` ends it`,
  );
  return 0;
}

export async function endSessions(target: Target, view: View): Promise<number> {
  const { sandbox } = target;
  await using guest = await connectGuest(target);
  const { sessions } = await guest.request('session-end', {});
  const lines = sessions.map(({ id, command }) => `${sandbox.name}: session ${id} ended: ${inOneLine(command)}`);
  view.result(
    { sandbox: sandbox.name, ended: sessions },
    lines.join('\n') || `${sandbox.name}: the agent has no running session`,
  );
  return 0;
}

export async function runningSessions(target: Target): Promise<SessionInfo[]> {
  await using guest = await connectGuest(target);
  const { sessions } = await guest.request('sessions', {});
  return sessions.filter(({ endedAt, lost }) => endedAt === undefined && lost === undefined);
}

function onTerminal(sandbox: SandboxStatus, argv: string[]): Omit<SessionRequest, 'client' | 'join'> {
  return { ...requestBase(sandbox, argv), stdin: true, tty: terminalSize() };
}

export function requestBase(sandbox: SandboxStatus, argv: string[]): Pick<SessionRequest, 'argv' | 'cwd' | 'caller'> {
  return { argv, cwd: sandbox.workspace, caller: callerOf(process.env) };
}

function say(text: string): void {
  process.stderr.write(`sbx: ${text}\n`);
}
