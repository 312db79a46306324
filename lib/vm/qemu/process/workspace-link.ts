/** Makes the folder in which the guest's relay and the workspace server meet. */
import { closeSync, ftruncateSync, lstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownLinkOf, type VmConfig, type VmPaths, WORKSPACE_LINK } from '../../driver.ts';

export function linkOf({ workspace }: Pick<VmConfig, 'workspace'>, paths: VmPaths): string {
  return workspace?.link ?? ownLinkOf(paths);
}

/** Removes the socket of an earlier VM, and keeps a mailbox that a server may have open. */
export function makeLink(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(join(folder, WORKSPACE_LINK.port), { recursive: true, force: true });
  const mailbox = join(folder, WORKSPACE_LINK.mailbox);
  if (isWhole(mailbox)) return;
  // A VM monitor that a guest broke out of could have put a link there: nothing but a new file is written to.
  rmSync(mailbox, { recursive: true, force: true });
  const fd = openSync(mailbox, 'wx', 0o600);
  ftruncateSync(fd, WORKSPACE_LINK.mailboxBytes);
  closeSync(fd);
}

function isWhole(mailbox: string): boolean {
  const stat = lstatSync(mailbox, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.nlink === 1 && stat.size === WORKSPACE_LINK.mailboxBytes;
}
