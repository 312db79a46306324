/** Starts QEMU in its jail, as a process that outlives its creator. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../../errors.ts';
import { toolMissing } from '../../../system/tool-path.ts';
import type { VmConfig, VmPaths, VmProcess } from '../../driver.ts';
import { buildQemuArgs, type QemuFacts, type Ram, versionAtLeast } from './args.ts';
import { buildJailArgs } from './jail.ts';
import { notStarted } from './start-failure.ts';
import { findVm, markerOf } from './vm-process.ts';
import { linkOf, makeLink } from './workspace-link.ts';

export interface Launch {
  binary: string;
  bwrap: string;
  config: VmConfig;
  paths: VmPaths;
  ram: Ram;
  facts: QemuFacts;
  /** The device state: read by a clone, written by a capture */
  state: string | undefined;
}

const INFO_FD = 3;

/** Returns once the jail's first process exists. bubblewrap itself writes the pid down, so a killed caller loses nothing. */
export async function launch(input: Launch): Promise<VmProcess> {
  const { paths } = input;
  makeFiles(input);
  const args = commandLine(input);
  const log = openSync(paths.monitorLog, 'w', 0o600);
  const info = openSync(paths.process, 'w', 0o600);
  try {
    // spawn, since the VM outlives this process.
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

/** Makes everything that bubblewrap binds. */
function makeFiles({ config, paths, ram, state }: Launch): void {
  for (const path of [paths.run, paths.egress]) mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const path of [paths.qmp, paths.agent, paths.setup, paths.process]) rmSync(path, { force: true });
  makeLink(linkOf(config, paths));
  writeFileSync(paths.console, '', { mode: 0o600, flag: 'a' });
  if (ram.kind !== 'capture') return;
  for (const path of [ram.file, state]) if (path !== undefined) writeFileSync(path, '', { mode: 0o600 });
}

function commandLine(input: Launch): string[] {
  const { paths, config, ram, facts } = input;
  return [
    ...buildJailArgs({
      run: paths.run,
      egress: paths.egress,
      workspace: linkOf(config, paths),
      console: paths.console,
      ...filesOf(input),
      kvm: facts.accel === 'kvm',
      state: input.state,
      stateWritable: ram.kind === 'capture',
      infoFd: INFO_FD,
    }),
    input.binary,
    ...buildQemuArgs({ config, facts, ram, marker: markerOf(paths) }),
  ];
}

function filesOf({ binary, config, ram, facts }: Launch): { readFiles: string[]; writeFiles: string[] } {
  const readFiles = [
    config.kernel,
    config.initrd,
    ...ownQemu(binary),
    ...config.disks.flatMap((disk) => [...disk.backing, ...(disk.readonly ? [disk.path] : [])]),
  ];
  const writeFiles = config.disks.filter((disk) => !disk.readonly).map((disk) => disk.path);
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
  { paths, bwrap }: Launch,
  ended: Promise<'ended'>,
  failed: Promise<Error>,
): Promise<VmProcess> {
  for (;;) {
    const vm = findVm(paths);
    if (vm !== undefined) return vm;
    const event = await Promise.race([ended, failed, sleep(2, undefined)]);
    if (event === 'ended') throw notStarted(paths);
    if (event instanceof Error) throw errnoOf(event) === 'ENOENT' ? toolMissing(bwrap, event) : event;
  }
}
