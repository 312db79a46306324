/** Writes the host entry of a sandbox, with its keys where they are missing. */
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { SbxError } from '../errors.ts';
import { type Home, sshPaths } from '../paths.ts';
import { readGuestFolders } from '../system/guest-folders.ts';
import { placesOf } from '../system/places.ts';
import { hostEntry, hostNames, type SandboxName } from './host-entry.ts';
import { ensureKeys } from './keys.ts';

export interface WrittenEntry {
  /** The first of its host names */
  host: string;
  /** In the form of ssh_config(5) */
  text: string;
}

interface Options {
  home: Home;
  sandbox: SandboxName;
  /** Every sandbox of this host */
  all: readonly SandboxName[];
  /** Path of the program `sbx` */
  program: string;
}

/** @throws SbxError `usage` for a path that ssh cannot use or a sandbox can write, `tool-missing`. */
export async function writeEntry({ home, sandbox, all, program }: Options): Promise<WrittenEntry> {
  const paths = sshPaths(home, sandbox.id);
  const hosts = hostNames(sandbox, all);
  const nodeDir = dirname(process.execPath);
  for (const path of [program, process.execPath]) refuseGuestFolder(path, readGuestFolders(home.guestFolders));
  const text = hostEntry({ sandbox, hosts, paths, home: home.root, program, nodeDir });
  await ensureKeys(sandbox.id, paths);
  await writeFileAtomic(paths.config, text, { mode: 0o600 });
  return { host: hosts[0] ?? sandbox.id, text };
}

/** ssh runs the program each time that an editor connects again. */
function refuseGuestFolder(program: string, guestFolders: readonly string[]): void {
  const place = placesOf(program).find((one) => guestFolders.includes(one));
  if (place === undefined) return;
  throw new SbxError('usage', `ssh would run ${program}, which a sandbox can write`, {
    why: `a sandbox has or had ${place}`,
    hint: 'install sbx outside of your projects: npm install --global',
  });
}
