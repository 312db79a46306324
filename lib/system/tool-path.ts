/** The PATH for the host's tools, and the error for a tool that is missing. */
import { delimiter } from 'node:path';
import { SbxError } from '../errors.ts';

/** The PATH of an ordinary user often lacks the folders of `depmod` and `mke2fs`, which need no root. */
export function pathWithTools(path: string | undefined): string {
  const dirs = (path ?? '').split(delimiter).filter((dir) => dir !== '');
  return [...new Set([...dirs, '/usr/sbin', '/sbin'])].join(delimiter);
}

export function toolMissing(command: string, cause?: unknown): SbxError {
  return new SbxError('tool-missing', `${command} is not installed`, {
    why: `there is no program ${command} on the PATH`,
    hint: 'run `sbx doctor --fix`',
    cause,
  });
}
