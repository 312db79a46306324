/** Where a command runs when the caller's own folder does not exist inside: hidden, private, or in no commit of a clone. */
import type { GuestConnection } from '../../../guest/client/connection.ts';

interface WantedFolder {
  /** Absolute */
  wanted: string;
  /** By `-w`: a missing one is the command's error, with the code 126 */
  isChosen: boolean;
  workspace: string;
  note: (line: string) => void;
}

/** Asks the guest only where the folder is the caller's own below the workspace. */
export async function folderThatExists(
  guest: Pick<GuestConnection, 'exec'>,
  { wanted, isChosen, workspace, note }: WantedFolder,
): Promise<string> {
  if (isChosen || wanted === workspace) return wanted;
  // Root sees folders that the command's own user may not enter: those stay its error.
  const { exit, stdout, stderr } = guest.exec({
    argv: ['/usr/bin/test', '-d', wanted],
    cwd: '/',
    user: 'root',
    stdin: false,
  });
  stdout.resume();
  stderr.resume();
  // Only the answer "no": without /usr/bin/test, or without root, the command itself says what is wrong.
  if ((await exit).code !== 1) return wanted;
  note(`note: ${wanted} does not exist in the sandbox: running in ${workspace}`);
  return workspace;
}
