/** Opens the host's side of a mailbox. QEMU can write in its folder: what a guest that broke out of it puts there is not followed, and not waited for. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MAILBOX_BYTES } from '../copy/lane.ts';

/** Undefined: there is none, or what is there is none. The port of the agent carries the copy then. */
export async function openHostMailbox(path: string | undefined): Promise<FileHandle | undefined> {
  if (path === undefined) return undefined;
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  const stat = await file?.stat();
  if (stat?.isFile() === true && stat.nlink === 1 && stat.size === MAILBOX_BYTES) return file;
  await file?.close();
  return undefined;
}
