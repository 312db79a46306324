/** The processes of one VM: found by what bubblewrap wrote down and by the marker in their command line, and ended. */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startTimeOf } from '../../system/process-identity.ts';
import type { VmExit, VmPaths, VmProcess } from '../driver.ts';

export function findVm(places: VmPaths): VmProcess | undefined {
  try {
    const first = readFileSync(places.process, 'utf8').split('\n')[0] ?? '';
    return describe((JSON.parse(first) as { 'child-pid': number })['child-pid'], places);
  } catch {
    return undefined;
  }
}

/** bubblewrap writes the exit code itself, so that it is known also when nobody of us was there. */
export function lastExit(places: VmPaths): VmExit | undefined {
  try {
    const code = /"exit-code":\s*(\d+)/.exec(readFileSync(places.process, 'utf8'))?.[1];
    return { code: code === undefined ? undefined : Number(code), at: statSync(places.process).mtimeMs };
  } catch {
    return undefined;
  }
}

/** Its monitor closes a moment before the process is gone. */
export async function endsSoon(vm: VmProcess, tries = 50): Promise<boolean> {
  for (; tries > 0 && isAlive(vm); tries -= 1) await sleep(10);
  return !isAlive(vm);
}

export async function destroyVm(places: VmPaths): Promise<void> {
  for (;;) {
    const pids = processesOf(places);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended between the look and the signal.
      }
    }
    await sleep(3);
  }
  for (const path of [places.process, places.qmp, places.agent, places.setup, movedFrom(places)])
    rmSync(path, { force: true });
}

/** Stands in the command line of every process of a VM that was started here: no other process has it. */
export function markerOf(places: VmPaths): string {
  return `sbx-vm:${places.dir.replaceAll(',', '_')}`;
}

/** The file that says which marker the processes have of a VM that was started elsewhere. */
export function movedFrom(places: VmPaths): string {
  return join(places.dir, 'moved-from');
}

/** Of whatever VM is here, started here or moved to here. */
export function markersOf(places: VmPaths): string[] {
  try {
    return [markerOf(places), readFileSync(movedFrom(places), 'utf8')];
  } catch {
    return [markerOf(places)];
  }
}

function describe(pid: number, places: VmPaths): VmProcess | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!markersOf(places).some((marker) => args.includes(marker))) return undefined;
  const accel = args.includes('kvm') ? 'kvm' : 'tcg';
  return { pid, startTime, accel, startedAt: statSync(places.process).mtime.toISOString() };
}

/** Every process with the VM's marker, also one whose pid was never written down. */
function processesOf(places: VmPaths): number[] {
  const markers = markersOf(places).map((marker) => Buffer.from(`\0${marker}\0`));
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
