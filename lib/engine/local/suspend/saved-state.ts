/** What lies beside the disk of a suspended sandbox: its memory, what it has open in its workspace, and a file that says that both are whole. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import type { WarmImage } from '../../../image/warm/warm-image.ts';
import type { InstancePaths } from '../../../paths.ts';
import type { VmSize } from '../../../spec/spec.ts';

export interface SavedState {
  version: 1;
  /** As `VmDriver.identity` was: another one cannot load the memory */
  monitor: string;
  size: VmSize;
  /** Absent: those of the image that the disk was cloned from */
  bootFiles?: Pick<WarmImage, 'kernel' | 'initrd' | 'runtimeDisk'> | null;
  /** ISO 8601 */
  at: string;
}

/** Undefined: not suspended, or the memory is not whole. */
export function readSaved({ suspended, memory }: InstancePaths): SavedState | undefined {
  try {
    const saved = JSON.parse(readFileSync(suspended, 'utf8')) as SavedState;
    return saved.version === 1 && statSync(memory).isFile() ? saved : undefined;
  } catch {
    return undefined;
  }
}

/** After everything else is on the disk: from now on the sandbox is suspended, once its VM has ended. */
export async function writeSaved({ suspended }: InstancePaths, saved: SavedState): Promise<void> {
  await writeFileAtomic(suspended, JSON.stringify(saved), { mode: 0o600, fsync: true });
}

export function dropSaved(paths: InstancePaths): void {
  dropMemory(paths);
  rmSync(paths.workspaceState, { recursive: true, force: true });
}

/** Of a VM that runs on: what it has open is served again. The file that says that the memory is whole goes first. */
export function dropMemory({ suspended, memory }: InstancePaths): void {
  for (const path of [suspended, memory]) rmSync(path, { recursive: true, force: true });
}

/** What it takes on the host, and since when */
export function savedFacts(paths: InstancePaths): { bytes: number; at: string } | undefined {
  const saved = readSaved(paths);
  return saved === undefined ? undefined : { bytes: statSync(paths.memory).blocks * 512, at: saved.at };
}
