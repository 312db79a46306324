/** Names what runs in a sandbox and would end with its VM: sessions of the agent, commands, shells, copies. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../engine/engine.ts';
import type { SessionInfo, SessionsRunning } from '../../guest/protocol/messages.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { ActivityTracker, Work } from './activity.ts';

export interface ActivityFacts {
  engine: Pick<Engine, 'status' | 'open'>;
  activity: Pick<ActivityTracker, 'workOf'>;
}

/** A guest that does not answer by then can be stopped without a question */
const ANSWER_MS = 5_000;
/** What has just ended may not be known to be */
const LINGER_MS = 500;
const LOOK_MS = 50;

/** In words; undefined: nothing. */
export async function whatRuns(
  { engine, activity }: ActivityFacts,
  record: InstanceRecord,
): Promise<string | undefined> {
  const { id, applied, target } = record;
  const { vm, finalized, sessions, saved } = engine.status(id);
  if (saved !== undefined) return 'the processes of the suspended sandbox';
  if (vm === undefined || !finalized) return undefined;
  const spec = applied ?? target;
  const known = sessions ?? (await askSessions(() => engine.open(id, spec)));
  const work = await lastingWork(() => activity.workOf(id));
  const parts = [...sessionText(known, spec.agent.name), ...workText(work)];
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** What runs through the daemon and is cut off by its end: a session without a client continues. In words; undefined: nothing. */
export async function runsThroughDaemon(
  activity: Pick<ActivityTracker, 'workOf' | 'attachedTo'>,
  { id, applied, target }: InstanceRecord,
): Promise<string | undefined> {
  const [work, attached] = await Promise.all([
    lastingWork(() => activity.workOf(id)),
    lastingWork(() => activity.attachedTo(id)),
  ]);
  const parts = [...sessionText(attached ?? { running: 0 }, (applied ?? target).agent.name), ...workText(work)];
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** A daemon that has just taken over does not know them yet. */
async function askSessions(open: () => ReturnType<Engine['open']>): Promise<SessionsRunning> {
  const ask = async () => {
    const { connection } = await open();
    return (await connection.request('sessions', {})).sessions.filter(isRunning);
  };
  const none = sleep(ANSWER_MS, [] as SessionInfo[], { ref: false });
  const running = await Promise.race([ask().catch(() => []), none]);
  const since = running.at(-1)?.startedAt;
  return { running: running.length, ...(since === undefined ? {} : { since }) };
}

function isRunning({ endedAt, lost }: SessionInfo): boolean {
  return endedAt === undefined && lost === undefined;
}

/** Commands, shells and copies: they end with the connection to them. In words; undefined: nothing. */
export async function workThroughDaemon(
  activity: Pick<ActivityTracker, 'workOf'>,
  { id }: InstanceRecord,
): Promise<string | undefined> {
  return workText(await lastingWork(() => activity.workOf(id)))[0];
}

async function lastingWork(look: () => Work | undefined): Promise<Work | undefined> {
  for (let waited = 0; waited < LINGER_MS && look() !== undefined; waited += LOOK_MS) await sleep(LOOK_MS);
  return look();
}

function sessionText({ running, since }: SessionsRunning, agent = 'the agent'): string[] {
  if (running === 0) return [];
  if (running === 1) return [`a session of ${agent}${sinceText(since)}`];
  return [`${running} sessions of ${agent}, the last of them${sinceText(since)}`];
}

function workText(work: Work | undefined): string[] {
  if (work === undefined) return [];
  if (work.running === 1) return [`a command, shell or copy${sinceText(work.since)}`];
  return [`${work.running} commands, shells or copies, the first of them${sinceText(work.since)}`];
}

/** As the clock of the host says it. */
function sinceText(since: string | undefined): string {
  const date = new Date(since ?? '');
  if (Number.isNaN(date.getTime())) return '';
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return ` since ${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
