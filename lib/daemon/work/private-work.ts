/** What a sandbox changed for itself alone: shown by `sbx diff`, and named before it is lost. */

import type { RequestContext } from '../../api/contract.ts';
import type { AcceptRequest, DiffRequest, DiffResult } from '../../api/work-contract.ts';
import { SbxError } from '../../errors.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { Control } from '../control/control.ts';

/** The private layer of a sandbox whose workspace is the folder itself. */
export async function privateDiffOf(
  { engine }: Control,
  record: InstanceRecord,
  { path, patch }: DiffRequest & RequestContext,
): Promise<DiffResult> {
  const { id, name, applied, target } = record;
  if (patch)
    throw new SbxError('usage', `the changes of ${name} are no patch`, {
      why: 'its workspace is the folder itself: only protected files, repositories made inside and special files are its own',
    });
  const { changes, isPartial } = await engine.privateWork({ id, spec: applied ?? target, below: path, withDiff: true });
  return {
    diff: changes.map(({ diff = '' }) => diff).join(''),
    changes: changes.map(({ isOwn: _, ...change }) => change),
    isPartial,
  };
}

/** @throws SbxError `workspace`, `not-found` */
export async function acceptIn(
  { engine, records, mutex, activity }: Control,
  id: string,
  { path, version }: AcceptRequest,
): Promise<{ accepted: string }> {
  const { projectDir } = records.require(id);
  return mutex.take(projectDir, async () => {
    using _use = activity.begin(id);
    const { applied, target } = records.require(id);
    await engine.acceptPrivate({ id, spec: applied ?? target, path, version });
    return { accepted: path };
  });
}

/** In words; undefined: nothing that only the sandbox has. What `[workspace] private` names can be made again. */
export async function privateFiles(
  { engine }: Control,
  { id, applied, target }: InstanceRecord,
): Promise<string | undefined> {
  const { changes, isPartial } = await engine.privateWork({ id, spec: applied ?? target, withDiff: false });
  const own = changes.filter(({ kind, isOwn }) => !isOwn && kind !== 'removed');
  const files = own.reduce((sum, one) => sum + Math.max(1, one.files), 0);
  if (files === 0) return isPartial ? 'private files that could not all be read' : undefined;
  return `private files: ${isPartial ? 'more than ' : ''}${files} (${own[0]?.path}${own.length > 1 ? ', …' : ''})`;
}
