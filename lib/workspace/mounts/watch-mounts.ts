/** Keeps a running jail's mounts in place while programs of the host replace files under them. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, SbxError } from '../../errors.ts';
import { isAlive, startTimeOf } from '../../system/process-identity.ts';
import { checkMounts, type MountCheck, type MountFault } from './check-mounts.ts';
import { restoreMounts } from './restore-mounts.ts';

export interface WatchOptions extends MountCheck {
  /** Called with what was lost and is back: for a short moment it was open */
  onRestored: (faults: MountFault[]) => void;
  /** Called with what stays open, or with the reason: the VM must not continue */
  onFailed: (why: MountFault[] | Error) => void;
}

/** An ending process has no mounts to be read a moment before it is gone */
const ENDING_MS = 200;
/** Errors for a folder that is gone: the check finds its lost mounts */
const GONE = ['ENOENT', 'ENOTDIR'];

/** Until disposed, or until the process has ended: then there is nothing left to guard. The folder above each mount is watched: whatever undoes a mount changes an entry there. */
export function watchMounts(options: WatchOptions): Disposable {
  let ended = false;
  let running = false;
  let again = false;
  const check = { ...options, identities: { ...options.identities } };
  const startTime = startTimeOf(options.pid);
  const lives = () => startTime !== undefined && isAlive({ pid: options.pid, startTime });
  const failed = async (error: Error) => {
    await sleep(ENDING_MS);
    if (ended) return;
    if (lives()) options.onFailed(error);
    else end();
  };
  const look = async () => {
    again = running;
    if (running || ended) return;
    running = true;
    try {
      const lost = checkMounts(check);
      const left = lost.length === 0 ? [] : await restoreMounts(check);
      // The host has put something else there, which is covered now.
      for (const { mount } of lost) if (mount.source !== '/dev/null') delete check.identities[mount.target];
      if (!ended && left.length > 0) options.onFailed(left);
      else if (!ended && lost.length > 0) options.onRestored(lost);
    } catch (error) {
      if (!ended) await failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      running = false;
    }
    if (again) await look();
  };
  const hosts = options.mounts.filter(({ target }) => !/^\/export\/[^/]+$/.test(target));
  const folders = [...new Set(hosts.map((mount) => dirname(hostPathOf(mount, options.mounts))))];
  const watchers = watchFolders(folders, () => void look());
  const end = () => {
    ended = true;
    for (const watcher of watchers) watcher.close();
  };
  void look();
  return { [Symbol.dispose]: end };
}

/** Also of a hidden path, whose source is no path of the workspace. */
function hostPathOf({ target }: { target: string }, mounts: MountCheck['mounts']): string {
  const [, exported = ''] = /^(\/export\/[^/]+)/.exec(target) ?? [];
  const root = mounts.find((mount) => mount.target === exported)?.source ?? '/';
  return root + target.slice(exported.length);
}

/** @throws SbxError `workspace` where a folder cannot be watched: changes there would go unnoticed. */
function watchFolders(folders: string[], onChange: () => void): FSWatcher[] {
  const watchers: FSWatcher[] = [];
  for (const folder of folders) {
    try {
      watchers.push(watch(folder, { persistent: false }, onChange).on('error', onChange));
    } catch (error) {
      if (GONE.includes(errnoOf(error) ?? '')) continue;
      for (const watcher of watchers) watcher.close();
      throw unwatched(folder, error);
    }
  }
  return watchers;
}

function unwatched(folder: string, cause: unknown): SbxError {
  const closed = errnoOf(cause) === 'EACCES';
  return new SbxError('workspace', 'the protected paths of the workspace cannot be watched', {
    why: `${closed ? `${folder} cannot be read` : `no watch is left for ${folder}`}: ${cause instanceof Error ? cause.message : cause}`,
    hint: closed
      ? 'make the folder readable for you'
      : 'end programs that watch many files, or raise fs.inotify.max_user_watches and max_user_instances (sysctl)',
    cause,
  });
}
