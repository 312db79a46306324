/** Finds the processes of one VM by bubblewrap's status file and the marker in their command line, and ends them. */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startTimeOf } from '../../../system/process-identity.ts';
import type { VmExit, VmPaths, VmProcess } from '../../driver.ts';
import { optionValue } from './args.ts';

export function findVm(paths: VmPaths): VmProcess | undefined {
  try {
    const first = readFileSync(paths.process, 'utf8').split('\n')[0] ?? '';
    return describe((JSON.parse(first) as { 'child-pid': number })['child-pid'], paths);
  } catch {
    return undefined;
  }
}

/** bubblewrap writes the exit code itself, so that it is known also when no daemon ran. */
export function lastExit(paths: VmPaths): VmExit | undefined {
  try {
    const code = /"exit-code":\s*(\d+)/.exec(readFileSync(paths.process, 'utf8'))?.[1];
    return { code: code === undefined ? undefined : Number(code), at: statSync(paths.process).mtimeMs };
  } catch {
    return undefined;
  }
}

/** Waits for the end of a process, whose monitor closes a moment before. */
export async function endsSoon(vm: VmProcess, tries = 50): Promise<boolean> {
  for (; tries > 0 && isAlive(vm); tries -= 1) await sleep(10);
  return !isAlive(vm);
}

export async function destroyVm(paths: VmPaths): Promise<void> {
  for (;;) {
    const pids = processesOf(paths);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended before the signal.
      }
    }
    await sleep(3);
  }
  for (const path of [paths.process, paths.qmp, paths.agent, paths.setup, movedFrom(paths)])
    rmSync(path, { force: true });
}

/** Part of the command line of every process of a VM that was started here, and of no other process; the value of QEMU's `-name`. */
export function markerOf(paths: VmPaths): string {
  const name = `sbx-vm:${optionValue(paths.dir)}`;
  // QEMU reads text before an `=` as the key of an option. Other names are written without their key, as those of VMs that run already.
  return /^[^,]*=/.test(name) ? `guest=${name}` : name;
}

/** The file that says which marker the processes have of a VM that was started elsewhere. */
export function movedFrom(paths: VmPaths): string {
  return join(paths.dir, 'moved-from');
}

/** Of whatever VM is here, started here or moved to here. */
export function markersOf(paths: VmPaths): string[] {
  try {
    return [markerOf(paths), readFileSync(movedFrom(paths), 'utf8')];
  } catch {
    return [markerOf(paths)];
  }
}

function describe(pid: number, paths: VmPaths): VmProcess | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!markersOf(paths).some((marker) => args.includes(marker))) return undefined;
  const accel = args.includes('kvm') ? 'kvm' : 'tcg';
  return { pid, startTime, accel, startedAt: statSync(paths.process).mtime.toISOString() };
}

/** Every process with the VM's marker, also one whose pid was never written down. */
function processesOf(paths: VmPaths): number[] {
  const markers = markersOf(paths).map((marker) => Buffer.from(`\0${marker}\0`));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const commandLine = readFileSync(`/proc/${pid}/cmdline`);
        return markers.some((marker) => commandLine.includes(marker)) && startTimeOf(pid) !== undefined;
      } catch {
        return false;
      }
    });
}
