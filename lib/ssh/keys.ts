/** The two keys of a sandbox: that of the person, and that of the server inside. Both are made on the host; the person's never leaves it. */
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf, SbxError } from '../errors.ts';
import type { SshPaths } from '../paths.ts';
import { run } from '../system/run-tool.ts';
import { knownHostsLine } from './host-entry.ts';

export interface SshKeys {
  /** The person's public key, one line */
  userPublic: string;
  /** The server's private key, PEM */
  serverPrivate: string;
}

/** Makes them where they are missing. The folder of the sandbox must exist. @throws SbxError `tool-missing` without ssh-keygen. */
export async function ensureKeys(id: string, paths: SshPaths): Promise<SshKeys> {
  if (statSync(paths.dir, { throwIfNoEntry: false }) === undefined) await makeKeys(id, paths);
  return {
    userPublic: readFileSync(`${paths.userKey}.pub`, 'utf8').trim(),
    serverPrivate: readFileSync(paths.serverKey, 'utf8'),
  };
}

/** The folder gets its name once it is whole. */
async function makeKeys(id: string, paths: SshPaths): Promise<void> {
  const made = mkdtempSync(`${paths.dir}.`);
  try {
    const at = (path: string) => join(made, basename(path));
    for (const key of [paths.userKey, paths.serverKey]) await makeKey(at(key), id);
    writeFileSync(at(paths.knownHosts), knownHostsLine(id, readFileSync(`${at(paths.serverKey)}.pub`, 'utf8')), {
      mode: 0o600,
    });
    renameSync(made, paths.dir);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // Another process was faster: its keys are as good.
    if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  }
}

async function makeKey(file: string, id: string): Promise<void> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `sbx-${id}`, '-f', file]).catch((cause: unknown) => {
    if (!(cause instanceof SbxError && cause.code === 'tool-missing')) throw cause;
    throw new SbxError('tool-missing', 'ssh is not installed on this host', {
      why: 'there is no program ssh-keygen on the PATH',
      hint: 'install it: apt-get install openssh-client',
      cause,
    });
  });
}
