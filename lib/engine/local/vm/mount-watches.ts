/** Watches the mounts of each running jail: a program of the host that replaces a protected file removes its mount, which is then restored. */
import { watchMounts } from '../../../workspace/mounts/watch-mounts.ts';
import type { PreparedWorkspace } from './workspaces.ts';

export interface MountWatches extends Disposable {
  /** `pid`: any process of the jail. Replaces an earlier watch of the same sandbox */
  start(id: string, pid: number, workspace: Pick<PreparedWorkspace, 'jailMounts' | 'identities'>): void;
  stop(id: string): void;
}

/** `onFailed`: the mounts of the jail with process `pid` could not be restored; its VM must not keep running. */
export function createMountWatches(onFailed: (id: string, pid: number, why: unknown) => void): MountWatches {
  const watches = new Map<string, Disposable>();
  const stop = (id: string) => {
    watches.get(id)?.[Symbol.dispose]();
    watches.delete(id);
  };
  return {
    start(id, pid, { jailMounts, identities }) {
      stop(id);
      const fail = (why: unknown) => {
        if (watches.get(id) === watch) onFailed(id, pid, why);
      };
      const watch = watchMounts({ pid, mounts: jailMounts, identities, onRestored: () => {}, onFailed: fail });
      watches.set(id, watch);
    },
    stop,
    [Symbol.dispose]() {
      for (const id of [...watches.keys()]) stop(id);
    },
  };
}
