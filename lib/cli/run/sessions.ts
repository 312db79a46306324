/** The ways to begin, join and end a session of the agent. */

import type { DaemonClient } from '../../api/client.ts';
import type { SandboxStatus } from '../../api/contract.ts';
import type { GuestConnection } from '../../guest/client/connection.ts';
import type { SessionInfo, SessionRequest } from '../../guest/protocol/messages.ts';
import { detachKeys } from '../terminal/detach-keys.ts';
import { terminalSize } from '../terminal/terminal.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { attach } from './attach.ts';

export async function connectGuest(client: DaemonClient, sandbox: SandboxStatus): Promise<GuestConnection> {
  const { GuestConnection } = await import('../../guest/client/connection.ts');
  return GuestConnection.open((await client.guest(sandbox.id)).socket);
}

export interface TerminalRun {
  argv: string[];
  /** Come back to what runs */
  join: boolean;
  /** As written: `ctrl-],d` */
  keys: string;
}

/** Returns the agent's exit code, or 0 when the person has left. */
export async function runOnTerminal(client: DaemonClient, sandbox: SandboxStatus, run: TerminalRun): Promise<number> {
  const keys = detachKeys(run.keys);
  await using guest = await connectGuest(client, sandbox);
  const { openSession } = await import('../../guest/client/session-client.ts');
  const { argv, join } = run;
  const session = openSession(guest, { ...onTerminal(sandbox, argv), client: 'viewer', join });
  const { joined } = await session.opened;
  say(`${joined ? 'back in' : 'the agent runs in'} ${sandbox.name}; leave with ${run.keys.split(',').join(' ')}`);
  const result = await attach(session, keys);
  if (result !== undefined) return result.code;
  say(`left; the agent goes on. Come back with: sbx run ${sandbox.name}`);
  return 0;
}

export async function runDetached(
  client: DaemonClient,
  sandbox: SandboxStatus,
  request: { argv: string[]; terminal: boolean; join: boolean },
  view: View,
): Promise<number> {
  await using guest = await connectGuest(client, sandbox);
  const { startDetached } = await import('../../guest/client/session-client.ts');
  const { argv, join, terminal } = request;
  const start = terminal ? onTerminal(sandbox, argv) : { argv, cwd: sandbox.workspace, stdin: false };
  const info = await startDetached(guest, { ...start, join });
  const ways = terminal ? `\`sbx run ${sandbox.name}\` goes there, ` : '';
  view.result(
    { sandbox: sandbox.name, session: info },
    `${sandbox.name}: session ${info.id} runs; ${ways}\`sbx logs -f ${sandbox.name}\` shows it, \`sbx run --end ${sandbox.name}\` ends it`,
  );
  return 0;
}

export async function endSessions(client: DaemonClient, sandbox: SandboxStatus, view: View): Promise<number> {
  await using guest = await connectGuest(client, sandbox);
  const { sessions } = await guest.request('session-end', {});
  const lines = sessions.map(({ id, command }) => `${sandbox.name}: session ${id} has ended: ${inOneLine(command)}`);
  view.result(
    { sandbox: sandbox.name, ended: sessions },
    lines.join('\n') || `${sandbox.name}: no session of the agent runs`,
  );
  return 0;
}

export async function runningSessions(client: DaemonClient, sandbox: SandboxStatus): Promise<SessionInfo[]> {
  await using guest = await connectGuest(client, sandbox);
  const { sessions } = await guest.request('sessions', {});
  return sessions.filter(({ endedAt, lost }) => endedAt === undefined && lost === undefined);
}

function onTerminal(sandbox: SandboxStatus, argv: string[]): Omit<SessionRequest, 'client' | 'join'> {
  return { argv, cwd: sandbox.workspace, stdin: true, tty: terminalSize() };
}

function say(text: string): void {
  process.stderr.write(`sbx: ${text}\n`);
}
