/** Writes the host entry of a sandbox, with its keys where they are missing. */
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { type Home, sshPaths } from '../paths.ts';
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

/** @throws SbxError `usage` for a path that ssh cannot use, `tool-missing`. */
export async function writeEntry({ home, sandbox, all, program }: Options): Promise<WrittenEntry> {
  const paths = sshPaths(home, sandbox.id);
  const hosts = hostNames(sandbox, all);
  const nodeDir = dirname(process.execPath);
  const text = hostEntry({ sandbox, hosts, paths, home: home.root, program, nodeDir });
  await ensureKeys(sandbox.id, paths);
  await writeFileAtomic(paths.config, text, { mode: 0o600 });
  return { host: hosts[0] ?? sandbox.id, text };
}
