/** The record of a session of the agent: as lines that cannot steer the terminal, or byte for byte. */
import type { Readable } from 'node:stream';
import type { DaemonClient } from '../../api/client.ts';
import type { SandboxStatus } from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import type { SessionInfo } from '../../guest/protocol/messages.ts';
import { plainLines } from '../view/plain-output.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { connectGuest } from './sessions.ts';

export interface AgentLogOptions {
  session: number | undefined;
  follow: boolean;
  lines: number | undefined;
  raw: boolean;
}

export async function showAgentLog(
  client: DaemonClient,
  sandbox: SandboxStatus,
  options: AgentLogOptions,
  view: View,
): Promise<number> {
  await using guest = await connectGuest(client, sandbox);
  const { readSession } = await import('../../guest/client/session-client.ts');
  const { session, follow } = options;
  const { output, ended, earlier } = readSession(guest, { ...(session === undefined ? {} : { id: session }), follow });
  ended.catch(() => {});
  const given = new Promise<undefined>((resolve) => process.once('SIGINT', () => resolve(undefined)));
  await Promise.race([given, options.raw ? pass(output) : showLines({ output, earlier, last: options.lines, view })]);
  const info = await Promise.race([given, ended]).catch((error: unknown) => {
    throw error instanceof SbxError && error.code === 'not-found' ? none(sandbox, session) : error;
  });
  if (info !== undefined && view.json) view.line({ session: info }, '');
  else if (info !== undefined) process.stderr.write(`sbx: session ${Number(info.id)} ${stateOf(info)}\n`);
  return 0;
}

function stateOf({ code, lost, startedAt }: SessionInfo): string {
  if (lost === true) return `was cut off: the machine, or what holds the sessions in it, ended under it`;
  return code === undefined
    ? `goes on since ${inOneLine(String(startedAt))}`
    : `has ended with exit code ${Number(code)}`;
}

async function pass(output: Readable): Promise<void> {
  for await (const data of output) if (!process.stdout.write(data as Buffer)) await drained();
}

function drained(): Promise<void> {
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

interface Lines {
  output: Readable;
  /** Bytes that were said before */
  earlier: Promise<number>;
  /** Of these, only the last lines */
  last: number | undefined;
  view: View;
}

async function showLines({ output, earlier, last, view }: Lines): Promise<void> {
  const plain = plainLines();
  const say = (lines: string[]) => {
    for (const line of lines) view.line({ line }, line);
  };
  let waiting = last === undefined ? 0 : await earlier;
  const held: string[] = [];
  for await (const data of output as AsyncIterable<Buffer>) {
    const lines = plain.push(data);
    if (waiting <= 0) say(lines);
    else held.push(...lines);
    if (waiting > 0 && waiting <= data.length) say(held.splice(0).slice(-(last ?? 0)));
    waiting -= data.length;
  }
  const rest = [...held, ...plain.end()];
  say(last === undefined || held.length === 0 ? rest : rest.slice(-last));
}

function none(sandbox: SandboxStatus, session: number | undefined): SbxError {
  return new SbxError(
    'not-found',
    session === undefined
      ? `the agent of ${sandbox.name} has said nothing yet`
      : `there is no session ${session} of ${sandbox.name}`,
    {
      why: session === undefined ? 'no session of it was begun' : 'the records of the last eight are kept',
      hint: `begin one: sbx run ${sandbox.name}; \`sbx logs --console\` shows the machine`,
    },
  );
}
