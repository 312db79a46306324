/** Whether this host makes jails at all: found out before minutes are spent on what would run in one. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errnoOf, SbxError } from '../../errors.ts';
import { toolMissing } from '../../system/run-tool.ts';
import { ISOLATED } from './jail.ts';

const call = promisify(execFile);

/** The jail of every machine, around nothing. @throws SbxError `no-jail`, `tool-missing` */
export async function probeJail(bwrap: string): Promise<void> {
  try {
    await call(bwrap, [...ISOLATED, '/usr/bin/true']);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') throw toolMissing(bwrap, cause as Error);
    const text = cause instanceof Error ? (cause.message.split('\n')[1] ?? cause.message) : String(cause);
    throw new SbxError('no-jail', 'the jail for the virtual machine could not be made', {
      why: text,
      hint: 'allow user namespaces for this user (`sbx doctor` shows how)',
      cause,
    });
  }
}
