/** The work in a clone (mode `clone`): brings it back, shows it, and counts what would be lost. */

import type { RequestContext } from '../../api/contract.ts';
import type { DiffRequest, DiffResult, FetchRequest, FetchResult } from '../../api/work-contract.ts';
import { SbxError } from '../../errors.ts';
import { instancePaths } from '../../paths.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { fetchCommits } from '../../workspace/clone/fetch.ts';
import { type CloneRecord, readCloneRecord, writeCloneRecord } from '../../workspace/clone/record.ts';
import { diffOfClone, type Unsaved, unsavedIn } from '../../workspace/clone/state.ts';
import type { Control } from '../control/control.ts';
import { privateDiffOf } from './private-work.ts';

/** A guest that takes longer keeps its disk, unless it is discarded */
const COUNT_MS = 60_000;

/** @throws SbxError `workspace`, `not-running`, `guest-failed` */
export async function fetchIn(
  control: Control,
  id: string,
  request: FetchRequest & RequestContext,
): Promise<FetchResult> {
  const { mutex, records, home, activity } = control;
  const { name, projectDir } = records.require(id);
  return mutex.take(projectDir, async () => {
    using _use = activity.begin(id);
    const record = cloneOf(control, id);
    const { connection } = await openRunning(control, id);
    request.emit({ type: 'progress', sandbox: name, message: 'fetching' });
    const { dir, clone } = instancePaths(home, id);
    const { revision, force, signal } = request;
    const from = revision === undefined ? {} : { revision };
    const { inner, ...result } = await fetchCommits(connection, { record, name, parent: dir, force, signal, ...from });
    await writeCloneRecord(clone, { ...record, fetched: [...new Set([...record.fetched, result.commit, ...inner])] });
    return result;
  });
}

/** @throws SbxError `workspace`, `not-running`, `guest-failed` */
export async function diffIn(control: Control, id: string, request: DiffRequest & RequestContext): Promise<DiffResult> {
  const { applied, target } = control.records.require(id);
  const { keep = [] } = (applied ?? target).agent;
  const kept = keep.length === 0 ? {} : { kept: keep.map((folder) => `~/${folder}`) };
  return { ...(await workDiffOf(control, id, request)), ...kept };
}

async function workDiffOf(control: Control, id: string, request: DiffRequest & RequestContext): Promise<DiffResult> {
  const { patch, path, signal } = request;
  if (control.records.require(id).target.workspace.mode === 'mount')
    return privateDiffOf(control, control.records.require(id), request);
  using _use = control.activity.begin(id);
  const record = cloneOf(control, id);
  const { connection } = await openRunning(control, id);
  return { diff: await diffOfClone(connection, record, { asPatch: patch, below: path, signal }) };
}

/** In words; undefined: nothing. What cannot be looked at counts as lost. */
export async function unfetchedWork(control: Control, { id }: InstanceRecord): Promise<string | undefined> {
  const record = readCloneRecord(instancePaths(control.home, id).clone);
  if (record === undefined) return undefined;
  if (control.engine.status(id).vm === undefined)
    return 'the work in its clone, which cannot be counted while it is stopped: start it first';
  try {
    const { connection } = await openRunning(control, id);
    return lossText(await unsavedIn(connection, record, { signal: AbortSignal.timeout(COUNT_MS) }));
  } catch (error) {
    return `the work in its clone, which cannot be counted: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function lossText({ changes, commits }: Unsaved): string | undefined {
  if (changes === 0 && commits === 0) return undefined;
  return `unfetched commits: ${commits}, files with uncommitted changes: ${changes}`;
}

function cloneOf({ home, records }: Control, id: string): CloneRecord {
  const record = readCloneRecord(instancePaths(home, id).clone);
  if (record !== undefined) return record;
  throw new SbxError('workspace', `${records.require(id).name} has no clone`, {
    why: 'its workspace is the folder itself: [workspace] mode is "mount"',
    hint: 'look with `git diff` in the folder',
  });
}

function openRunning({ engine, records }: Control, id: string) {
  const { name, applied, target } = records.require(id);
  const { vm, finalized } = engine.status(id);
  if (vm === undefined || !finalized)
    throw new SbxError('not-running', `${name} is not running`, { hint: `run \`sbx start ${name}\`` });
  return engine.open(id, applied ?? target);
}
