/** Explains what a sandbox may do with a path of its workspace. */
import type { CheckedPath } from '../../api/live-contract.ts';
import { SbxError } from '../../errors.ts';
import type { Control } from '../control/control.ts';

/** @throws SbxError `not-running`, `workspace`, `not-found` */
export async function checkPathIn({ engine, records }: Control, id: string, path: string): Promise<CheckedPath> {
  const { name, applied, target } = records.require(id);
  const spec = applied ?? target;
  if (spec.workspace.mode === 'clone')
    throw new SbxError('workspace', `${name} has a clone, not the folder itself`, {
      why: 'its workspace is mode "clone": it may change each file of its own',
    });
  const explanation = engine.status(id).vm === undefined ? undefined : await engine.explainPath(id, spec, path);
  if (explanation !== undefined) return { sandbox: name, ...explanation };
  throw new SbxError('not-running', `${name} is not running`, {
    why: 'its rules are decided by what is on the host while it runs',
    hint: `run \`sbx start ${name}\` first`,
  });
}
