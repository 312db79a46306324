/** Starts QEMU in its jail, as a process that lives on without us. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { toolMissing } from '../../system/tool-path.ts';
import type { VmConfig, VmPaths, VmProcess } from '../driver.ts';
import { buildQemuArgs, type QemuFacts, type Ram, versionAtLeast } from './args.ts';
import { buildJailArgs } from './jail.ts';
import { notStarted } from './start-failure.ts';
import { findVm, markerOf } from './vm-process.ts';

export interface Launch {
  binary: string;
  bwrap: string;
  shape: VmConfig;
  places: VmPaths;
  ram: Ram;
  facts: QemuFacts;
  /** The device state: read by a clone, written by a capture */
  state: string | undefined;
}

const INFO_FD = 3;

/** Returns once the jail's first process exists. bubblewrap itself writes the pid down, so a killed caller loses nothing. */
export async function launch(input: Launch): Promise<VmProcess> {
  const { places } = input;
  makePlaces(input);
  const args = commandLine(input);
  const log = openSync(places.monitorLog, 'w', 0o600);
  const info = openSync(places.process, 'w', 0o600);
  try {
    const child = spawn(input.bwrap, args, { stdio: ['ignore', log, log, info], detached: true, cwd: '/' });
    const ended = new Promise<'ended'>((resolve) => child.once('exit', () => resolve('ended')));
    const failed = new Promise<Error>((resolve) => child.once('error', resolve));
    child.unref();
    return await untilStarted(input, ended, failed);
  } finally {
    closeSync(log);
    closeSync(info);
  }
}

/** All that bubblewrap binds has to be there. */
function makePlaces({ places, ram, state }: Launch): void {
  for (const path of [places.run, places.egress, emptyDirOf(places)]) mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const path of [places.qmp, places.agent, places.setup, places.process]) rmSync(path, { force: true });
  writeFileSync(places.console, '', { mode: 0o600, flag: 'a' });
  if (ram.kind !== 'capture') return;
  for (const path of [ram.file, state]) if (path !== undefined) writeFileSync(path, '', { mode: 0o600 });
}

export function emptyDirOf(places: VmPaths): string {
  return join(places.dir, 'empty');
}

function commandLine(input: Launch): string[] {
  const { places, shape, ram, facts } = input;
  return [
    ...buildJailArgs({
      run: places.run,
      egress: places.egress,
      console: places.console,
      ...filesOf(input),
      mounts: shape.mounts,
      kvm: facts.accel === 'kvm',
      emptyDir: emptyDirOf(places),
      state: input.state,
      stateWritable: ram.kind === 'capture',
      infoFd: INFO_FD,
    }),
    input.binary,
    ...buildQemuArgs({ shape, facts, ram, marker: markerOf(places) }),
  ];
}

function filesOf({ binary, shape, ram, facts }: Launch): { readFiles: string[]; writeFiles: string[] } {
  const readFiles = [
    shape.kernel,
    shape.initrd,
    ...ownQemu(binary),
    ...shape.disks.flatMap((disk) => [...disk.backing, ...(disk.readonly ? [disk.path] : [])]),
  ];
  const writeFiles = shape.disks.filter((disk) => !disk.readonly).map((disk) => disk.path);
  if (ram.kind === 'capture') writeFiles.push(ram.file);
  if (ram.kind === 'clone') (versionAtLeast(facts.version, 8, 2) ? readFiles : writeFiles).push(ram.file);
  return { readFiles: [...new Set(readFiles)], writeFiles };
}

/** A QEMU beside the system's, with the firmware and the modules of its own installation. */
function ownQemu(binary: string): string[] {
  if (binary.startsWith('/usr/')) return [];
  const bin = dirname(binary);
  const beside = basename(bin) === 'bin' ? ['share', 'lib'].map((name) => join(dirname(bin), name)) : [];
  return [binary, ...beside.filter((path) => existsSync(path))];
}

async function untilStarted(
  { places, bwrap }: Launch,
  ended: Promise<'ended'>,
  failed: Promise<Error>,
): Promise<VmProcess> {
  for (;;) {
    const vm = findVm(places);
    if (vm !== undefined) return vm;
    const event = await Promise.race([ended, failed, sleep(2, undefined)]);
    if (event === 'ended') throw notStarted(places);
    if (event instanceof Error) throw errnoOf(event) === 'ENOENT' ? toolMissing(bwrap, event) : event;
  }
}
