/** Connects a client to the guest agent of the sandbox that it names. */
import type { Duplex } from 'node:stream';
import type { GuestPlace, WantedGuest } from '../../api/guest-upgrade.ts';
import { ownProject } from '../../api/project-dir.ts';
import { chooseSandbox } from '../../api/resolve-sandbox.ts';
import { SbxError } from '../../errors.ts';
import { relayGuest } from '../../guest/client/relay.ts';
import { type ExecRequest, LOGIN_PATH } from '../../guest/protocol/messages.ts';
import type { InstanceRecord, Records } from '../../state/records.ts';
import type { Control } from '../control/control.ts';
import { stoppedIdle } from '../status/stopped-idle.ts';

/** Services whose work is lost with the VM. A session counts for itself, a reader of logs not at all */
const WORK: ReadonlySet<string> = new Set(['exec', 'put', 'get']);

/** @throws SbxError `not-found`, `ambiguous-name`, `not-running`, `stopped-idle`. */
export async function openGuestIn(
  { engine, records, activity }: Pick<Control, 'engine' | 'records' | 'activity'>,
  wanted: WantedGuest,
): Promise<{ place: GuestPlace; serve: (socket: Duplex) => Promise<void> }> {
  const record = recordOf(records, wanted);
  const { id, name, applied, target } = record;
  const { vm, finalized } = engine.status(id);
  if (vm === undefined) throw notRunning(record);
  // Before the identity sequence has run there is no workspace and no identity: no command runs then.
  if (!finalized)
    throw new SbxError('not-running', `${name} is still starting`, {
      hint: 'try again in a moment; `sbx ls` shows its state',
    });
  const spec = applied ?? target;
  const guest = await engine.open(id, spec);
  const adapt = (service: string, body: unknown) => {
    if (service === 'session') guest.watchSessions();
    return service === 'session' || service === 'exec' ? withEnvironment(guest.environment, body) : body;
  };
  return {
    place: { id, name, workspace: spec.workspace.path, mailbox: guest.mailbox },
    async serve(socket) {
      using _use = activity.begin(id);
      let work: Disposable | undefined;
      let attached: Disposable | undefined;
      try {
        await relayGuest(socket, guest.connection, (service, body) => {
          if (WORK.has(service)) work ??= activity.work(id);
          if (service === 'session') attached ??= activity.attach(id);
          return adapt(service, body);
        });
      } finally {
        work?.[Symbol.dispose]();
        attached?.[Symbol.dispose]();
      }
    },
  };
}

function notRunning({ name, desired, applied }: InstanceRecord): SbxError {
  const hint = `run \`sbx start ${name}\``;
  return desired.stoppedBy === 'idle'
    ? new SbxError('stopped-idle', `${name} is not running`, { why: stoppedIdle(applied), hint })
    : new SbxError('not-running', `${name} is not running`, { hint });
}

function withEnvironment(env: Record<string, string>, body: unknown): unknown {
  const request = (body ?? {}) as Partial<ExecRequest>;
  const all = { ...env, ...request.env };
  return { ...request, env: all['PATH'] === undefined ? all : { ...all, [LOGIN_PATH]: all['PATH'] } };
}

function recordOf(records: Records, wanted: WantedGuest): InstanceRecord {
  if ('id' in wanted) return records.require(wanted.id);
  const all = records.list();
  return chooseSandbox(all, ownProject(wanted.cwd, all), wanted.name);
}
