/** Finds a template of a repository as sandbox.lock pins it. Nothing is fetched here. */
import { join } from 'node:path';
import { type Place, SbxError } from '../../errors.ts';
import { LOCK_NAME, readLock } from './lock-file.ts';
import { parseGitReference } from './reference.ts';
import { findTree } from './tree-cache.ts';

/** The file of a template that is written as a reference. `projectDir`: of the lock. */
export type RemoteTemplates = (text: string, place: Place, projectDir: string) => Promise<string>;

/** @throws SbxError `config-invalid`; `template-missing` for one that `sbx lock` has to fetch or pin */
export function lockedTemplates(stateDir: string): RemoteTemplates {
  return async (text, place, projectDir) => {
    const { path } = parseGitReference(text, place);
    const pin = readLock(projectDir)[text];
    if (pin === undefined) throw missing(text, place, `${LOCK_NAME} does not pin it`);
    const dir = findTree(stateDir, pin.content);
    if (dir === undefined) throw missing(text, place, `commit ${pin.commit} was not fetched on this machine yet`);
    return join(dir, path);
  };
}

function missing(text: string, place: Place, why: string): SbxError {
  return new SbxError('template-missing', `the template ${text} is not here`, { place, why, hint: 'run `sbx lock`' });
}
