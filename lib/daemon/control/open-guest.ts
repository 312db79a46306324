/** From a sandbox's name, or its id, to the agent inside. */
import type { Duplex } from 'node:stream';
import type { GuestPlace, WantedGuest } from '../../api/guest-upgrade.ts';
import { ownProject } from '../../api/project-dir.ts';
import { chooseSandbox } from '../../api/resolve-sandbox.ts';
import { environmentOf } from '../../engine/local/guests/environment.ts';
import { SbxError } from '../../errors.ts';
import { relayGuest } from '../../guest/client/relay.ts';
import type { ExecRequest } from '../../guest/protocol/messages.ts';
import { instancePaths } from '../../paths.ts';
import type { InstanceRecord, Records } from '../../state/records.ts';
import type { Core } from './control.ts';
import { stoppedIdle } from './stopped-idle.ts';

const ANSWER_MS = 10_000;

/** @throws SbxError `not-found`, `ambiguous-name`, `not-running`, `stopped-idle`. */
export async function enterGuest(
  { deps, uses }: Pick<Core, 'deps' | 'uses'>,
  wanted: WantedGuest,
): Promise<{ place: GuestPlace; serve: (socket: Duplex) => Promise<void> }> {
  const record = recordOf(deps.records, wanted);
  const { id, name, applied, target } = record;
  const paths = instancePaths(deps.home, id);
  const vm = deps.driver.find(paths);
  if (vm === undefined) throw notRunning(record);
  // Before the resume sequence is through, there is no workspace and no identity: nothing else runs.
  if (record.resumed?.pid !== vm.pid || record.resumed.startTime !== vm.startTime)
    throw new SbxError('not-running', `${name} is still starting`, {
      hint: 'try again in a moment; `sbx ls` shows its state',
    });
  const guest = await deps.guests.connect(id, paths.agent, { fresh: false, timeoutMs: ANSWER_MS });
  const spec = applied ?? target;
  const env = await environmentOf(deps, id, spec);
  const asking = (service: string, body: unknown) => {
    if (service === 'session') deps.guests.watchSessions(id);
    return service === 'session' || service === 'exec' ? withEnvironment(env, body) : body;
  };
  return {
    place: { id, name, workspace: spec.workspace.path },
    async serve(socket) {
      using _use = uses.begin(id);
      await relayGuest(socket, guest, asking);
    },
  };
}

function notRunning({ name, stopped, applied }: InstanceRecord): SbxError {
  const hint = `run \`sbx start ${name}\``;
  return stopped === 'idle'
    ? new SbxError('stopped-idle', `${name} is not running`, { why: stoppedIdle(applied), hint })
    : new SbxError('not-running', `${name} is not running`, { hint });
}

function withEnvironment(env: Record<string, string>, body: unknown): unknown {
  const request = (body ?? {}) as Partial<ExecRequest>;
  return { ...request, env: { ...env, ...request.env } };
}

function recordOf(records: Records, wanted: WantedGuest): InstanceRecord {
  if ('id' in wanted) return records.require(wanted.id);
  const all = records.list();
  return chooseSandbox(all, ownProject(wanted.cwd, all), wanted.name);
}
