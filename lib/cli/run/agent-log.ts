/** Shows the record of an agent session: as lines without terminal control sequences, or byte for byte. */
import type { Readable } from 'node:stream';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
import { SbxError } from '../../errors.ts';
import { readSession } from '../../guest/client/session-client.ts';
import type { SessionInfo } from '../../guest/protocol/messages.ts';
import { endOnSignal } from '../command/interrupt.ts';
import { plainLines } from '../view/plain-output.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { connectGuest, type Target } from './sessions.ts';

export interface AgentLogOptions {
  session: number | undefined;
  follow: boolean;
  lines: number | undefined;
  raw: boolean;
}

export async function showAgentLog(target: Target, options: AgentLogOptions, view: View): Promise<number> {
  using _signals = endOnSignal();
  await using guest = await connectGuest(target);
  const { session, follow } = options;
  const { output, ended, earlier } = readSession(guest, { ...(session === undefined ? {} : { id: session }), follow });
  ended.catch(() => {});
  await (options.raw ? pass(output) : showLines({ output, earlier, last: options.lines, view }));
  const info = await ended.catch((error: unknown) => {
    throw error instanceof SbxError && error.code === 'not-found' ? noSession(target.sandbox, session) : error;
  });
  if (view.json) view.line({ session: info }, '');
  else process.stderr.write(`sbx: session ${Number(info.id)} ${stateOf(info)}\n`);
  return 0;
}

function stateOf({ code, lost, startedAt }: SessionInfo): string {
  if (lost === true) return 'was cut off: the VM or the guest agent ended';
  return code === undefined
    ? `is running since ${inOneLine(String(startedAt))}`
    : `ended with exit code ${Number(code)}`;
}

async function pass(output: Readable): Promise<void> {
  for await (const data of output) if (!process.stdout.write(data as Buffer)) await drained();
}

function drained(): Promise<void> {
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

interface Lines {
  output: Readable;
  /** Bytes of output before this call */
  earlier: Promise<number>;
  /** Of the earlier output, only the last lines */
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

function noSession(sandbox: SandboxStatus, session: number | undefined): SbxError {
  return new SbxError(
    'not-found',
    session === undefined
      ? `the agent of ${sandbox.name} has no output yet`
      : `${sandbox.name} has no session ${session}`,
    {
      why: session === undefined ? 'no session was started' : 'only the records of the last eight sessions are kept',
      hint: `start one: sbx run ${sandbox.name}; \`sbx logs --console\` shows the console of the VM`,
    },
  );
}
