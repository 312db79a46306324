/** Runs the verbs of one sandbox in turn with the other requests of its project. */
import type { RequestContext } from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { type Control, WAITING } from '../control/control.ts';

export interface Turn {
  id: string;
  context: RequestContext;
  /**
   * Of a verb that ends the VM: throws when it must not. Such a verb does not wait for packages that are being installed in the sandbox: it ends
   * that, and the next `sbx apply` installs them.
   */
  mayBegin?: (record: InstanceRecord) => Promise<void> | void;
}

/** @throws SbxError what `mayBegin` and `work` throw; `cancelled` when the client has gone while it waited */
export async function takeTurn<T>(
  control: Control,
  turn: Turn,
  work: (record: InstanceRecord) => Promise<T>,
): Promise<T> {
  const { records, mutex, supervisor } = control;
  const { id, context, mayBegin } = turn;
  const { projectDir, name: sandbox } = records.require(id);
  const onWait = () => context.emit({ type: 'progress', sandbox, message: WAITING });
  const run = async () => {
    await mayBegin?.(records.require(id));
    return work(records.require(id));
  };
  if (mayBegin === undefined) return mutex.take(projectDir, run, { onWait, signal: context.signal });
  const leave = new AbortController();
  const queued = mutex.take(projectDir, run, { onWait, signal: AbortSignal.any([context.signal, leave.signal]) });
  const ahead = supervisor.whenRuns(id, 'install', leave.signal).then(async () => {
    leave.abort();
    await endInstallation(control, turn);
    return mutex.join(projectDir, run);
  });
  try {
    return await Promise.race([queued.catch((error) => (leave.signal.aborted ? ahead : Promise.reject(error))), ahead]);
  } finally {
    leave.abort();
  }
}

async function endInstallation({ records, supervisor }: Control, { id, context, mayBegin }: Turn): Promise<void> {
  context.signal.throwIfAborted();
  const record = records.require(id);
  await mayBegin?.(record);
  context.emit({ type: 'progress', sandbox: record.name, message: 'ending the installation of packages' });
  const reason = new SbxError('cancelled', `another command ended the installation of packages in ${record.name}`, {
    hint: 'the next `sbx apply` installs them',
  });
  await supervisor.abortStep(id, 'install', reason);
}
