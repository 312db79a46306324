/** Checks the state folder and its disk. */
import { existsSync } from 'node:fs';
import { access, constants, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Home } from '../../paths.ts';
import { ensurePrivateDir, socketPath } from '../../paths.ts';
import type { CheckResult } from './check-result.ts';

const DISK_MIN_GIB = 5;

export async function stateFolder(home: Home): Promise<CheckResult> {
  const name = 'state folder';
  try {
    await access(ensurePrivateDir(home.root), constants.R_OK | constants.W_OK | constants.X_OK);
    return { name, status: 'ok', message: home.root };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: error instanceof Error ? error.message : String(error),
      fix: 'set SBX_HOME to a folder that you can write',
    };
  }
}

export async function diskSpace(home: Home): Promise<CheckResult> {
  const name = 'disk space';
  const dir = existsSync(home.root) ? home.root : tmpdir();
  const { bavail, bsize } = await statfs(dir);
  const gib = (bavail * bsize) / 1024 ** 3;
  return {
    name,
    status: gib >= DISK_MIN_GIB ? 'ok' : 'warning',
    message: `${gib.toFixed(1)} GiB free for ${home.root}`,
    ...(gib >= DISK_MIN_GIB
      ? {}
      : { fix: 'free some space (`sbx gc`, `sbx gc --all`), or set SBX_HOME to another disk' }),
  };
}

export function socketLength(home: Home): CheckResult {
  const name = 'socket paths';
  try {
    socketPath(home.daemon.socket);
    return { name, status: 'ok', message: 'short enough' };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: error instanceof Error ? error.message : String(error),
      fix: 'set SBX_HOME to a shorter folder',
    };
  }
}
