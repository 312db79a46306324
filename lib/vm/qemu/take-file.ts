/** Takes a file that a jailed QEMU wrote out of the jail's reach. */
import { lstatSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { SbxError } from '../../errors.ts';

/**
 * The jail can put a link in its place until it is moved; where it is then, the jail reaches nothing. On the disk when it resolves.
 * @throws SbxError `vm-save-failed` for anything but a file: it is removed, and what a link leads to is not touched
 */
export async function takeFile(from: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
  if (!lstatSync(to).isFile()) {
    rmSync(to, { recursive: true, force: true });
    throw new SbxError('vm-save-failed', 'the memory of the sandbox could not be saved', { why: 'QEMU wrote no file' });
  }
  await using handle = await open(to, 'r');
  await handle.sync();
}
