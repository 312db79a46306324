/** Moves a running VM to other paths: its jail binds files by inode, not by path. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { VmPaths } from '../driver.ts';
import { emptyDirOf } from './launch.ts';
import { markersOf, movedFrom } from './vm-process.ts';

/** Writes the marker first: then both paths find its processes. The folder of `from` stays; its owner removes it. */
export function moveVm(from: VmPaths, to: VmPaths): void {
  writeFileSync(movedFrom(to), markersOf(from).at(-1) ?? '', { mode: 0o600 });
  for (const path of [to.run, to.egress, emptyDirOf(to)]) rmSync(path, { recursive: true, force: true });
  for (const [source, target] of [
    [from.run, to.run],
    [from.egress, to.egress],
    [emptyDirOf(from), emptyDirOf(to)],
    [from.console, to.console],
    [from.monitorLog, to.monitorLog],
    [from.process, to.process],
  ] as const)
    if (existsSync(source)) renameSync(source, target);
}
