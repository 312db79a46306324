/** The processes of one VM: found by what bubblewrap wrote down and by the marker in their command line, and ended. */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startTimeOf } from '../../process.ts';
import type { VmExit, VmPlaces, VmProcess } from '../driver.ts';

export function findVm(places: VmPlaces): VmProcess | undefined {
  try {
    const first = readFileSync(places.process, 'utf8').split('\n')[0] ?? '';
    return describe((JSON.parse(first) as { 'child-pid': number })['child-pid'], places);
  } catch {
    return undefined;
  }
}

/** bubblewrap writes the exit code itself, so that it is known also when nobody of us was there. */
export function lastExit(places: VmPlaces): VmExit | undefined {
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

export async function destroyVm(places: VmPlaces): Promise<void> {
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
  for (const path of [places.process, places.qmp, places.agent, places.setup]) rmSync(path, { force: true });
}

/** Stands in the command line of every process of the VM: no other process has it. */
export function markerOf(places: VmPlaces): string {
  return `sbx-vm:${places.dir.replaceAll(',', '_')}`;
}

function describe(pid: number, places: VmPlaces): VmProcess | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!args.includes(markerOf(places))) return undefined;
  const accel = args.includes('kvm') ? 'kvm' : 'tcg';
  return { pid, startTime, accel, startedAt: statSync(places.process).mtime.toISOString() };
}

/** Every process with the VM's marker, also one whose pid was never written down. */
function processesOf(places: VmPlaces): number[] {
  const marker = Buffer.from(`\0${markerOf(places)}\0`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`).includes(marker) && startTimeOf(pid) !== undefined;
      } catch {
        return false;
      }
    });
}
