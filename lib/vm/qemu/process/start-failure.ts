/** Explains from their output why QEMU or its jail did not start. */
import { readFileSync } from 'node:fs';
import { SbxError } from '../../../errors.ts';
import { toolMissing } from '../../../system/tool-path.ts';
import type { VmPaths } from '../../driver.ts';

export function notStarted(paths: VmPaths): SbxError {
  const why = tailOf(paths.monitorLog);
  if (/namespace|Operation not permitted|setting up uid map|unshare/i.test(why)) {
    return new SbxError('no-jail', 'the jail for the virtual machine could not be made', {
      why,
      hint: 'allow user namespaces for this user (`sbx doctor` shows how)',
    });
  }
  if (/execvp .*No such file/.test(why)) return toolMissing('qemu-system-x86_64');
  if (/No space left/i.test(why))
    return new SbxError('no-space', 'the virtual machine found no space left on the disk', {
      why,
      hint: 'free some space, for example by `sbx gc --all`',
    });
  return new SbxError('vm-boot-failed', 'the virtual machine did not start', { why, hint: 'run `sbx doctor`' });
}

export function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('; ');
  } catch {
    return '';
  }
}
