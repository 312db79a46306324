/** Checks that this host can make jails, before minutes are spent on what would run in one. */
import { SbxError } from '../../../errors.ts';
import { ISOLATED } from '../../../system/isolated.ts';
import { run } from '../../../system/run-tool.ts';

/** Runs `true` in the jail of every VM. @throws SbxError `no-jail`, `tool-missing` */
export async function probeJail(bwrap: string): Promise<void> {
  try {
    await run(bwrap, [...ISOLATED, '/usr/bin/true']);
  } catch (cause) {
    if (cause instanceof SbxError && cause.code === 'tool-missing') throw cause;
    const why = cause instanceof SbxError ? cause.why?.split('\n')[0] : undefined;
    throw new SbxError('no-jail', 'the jail for the virtual machine could not be made', {
      why: why || (cause instanceof Error ? cause.message : String(cause)),
      hint: 'allow user namespaces for this user (`sbx doctor` shows how)',
      cause,
    });
  }
}
