/** Runs VMs as jailed QEMU processes that outlive their creator. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SbxError } from '../../errors.ts';
import {
  type BootOptions,
  ownLinkOf,
  type StartOptions,
  type VmConfig,
  type VmDriver,
  type VmPaths,
  type VmProcess,
  type WarmFiles,
} from '../driver.ts';
import { probeQemu, qemuBinary } from './accel.ts';
import { growDisks, growRunning } from './grow-disk.ts';
import { identityOf } from './identity.ts';
import { continueVm, health, openMonitor } from './monitor.ts';
import type { QemuFacts } from './process/args.ts';
import { probeJail } from './process/jail-probe.ts';
import { type Launch, launch } from './process/launch.ts';
import { notStarted, tailOf } from './process/start-failure.ts';
import { destroyVm, endsSoon, findVm, lastExit, markersOf, movedFrom } from './process/vm-process.ts';
import { continueAfterSave, loadMemory, saveMemory } from './saved-memory.ts';
import { captureBeside, resume, takeSnapshot } from './snapshot.ts';

export interface QemuDriverOptions {
  /** Where probe results are kept */
  probeCache: string;
  /** Default: `SBX_QEMU`, else qemu-system-x86_64 on the usual paths */
  binary?: string;
  bwrap?: string;
}

type Start = (what: Pick<Launch, 'config' | 'paths' | 'ram' | 'state'>) => Promise<VmProcess>;

export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const binary = options.binary ?? qemuBinary();
  const bwrap = options.bwrap ?? '/usr/bin/bwrap';
  const getFacts = keptFacts({ binary, bwrap, probeCache: options.probeCache });
  const start: Start = async (what) => launch({ ...what, binary, bwrap, facts: await getFacts() });
  return {
    boot: (config, paths, boot) => coldBoot(start, config, paths, boot),
    restore: (config, warm, paths, options = {}) => restore(start, { config, warm, paths, options }),
    snapshot: (paths, into, signal) => takeSnapshot(paths, into, signal),
    save: saveMemory,
    continue: continueAfterSave,
    load: (config, file, paths, options = {}) => load(start, { config, file, paths, options }),
    find: findVm,
    lastExit,
    health,
    resume: continueVm,
    growDisk: growRunning,
    destroy: destroyVm,
    move: moveVm,
    identity: async () => identityOf(binary, await getFacts()),
  };
}

/** Probes the host once, and again after a failure. */
function keptFacts({ binary, bwrap, probeCache }: Record<'binary' | 'bwrap' | 'probeCache', string>) {
  let facts: Promise<QemuFacts> | undefined;
  const look = async () => {
    await probeJail(bwrap);
    return (await probeQemu(binary, probeCache)).facts;
  };
  return () => {
    facts ??= look();
    facts.catch(() => {
      facts = undefined;
    });
    return facts;
  };
}

async function coldBoot(
  start: Start,
  config: VmConfig,
  paths: VmPaths,
  { ramFile, signal }: BootOptions,
): Promise<VmProcess> {
  signal?.throwIfAborted();
  const vm = await start({
    config,
    paths,
    ram: ramFile === undefined ? { kind: 'private' } : { kind: 'capture', file: ramFile },
    state: ramFile === undefined ? undefined : captureBeside(ramFile),
  });
  try {
    await using qmp = await openMonitor(paths, vm, { signal });
    await growDisks(qmp, config);
    await qmp.execute('cont');
    return vm;
  } catch (error) {
    const explained = (await endsSoon(vm)) ? notStarted(paths) : error;
    await destroyVm(paths);
    throw explained;
  }
}

interface Restore {
  config: VmConfig;
  warm: WarmFiles;
  paths: VmPaths;
  options: StartOptions;
}

async function restore(start: Start, { config, warm, paths, options }: Restore): Promise<VmProcess> {
  const { signal } = options;
  signal?.throwIfAborted();
  const vm = await start({ config, paths, ram: { kind: 'clone', file: warm.ram }, state: warm.device });
  try {
    await resume(paths, vm, options);
    return vm;
  } catch (error) {
    await destroyVm(paths);
    if (signal?.aborted) throw error;
    throw new SbxError('vm-restore-failed', 'the warm snapshot could not be resumed', {
      why: `${error instanceof Error ? error.message : error}; ${tailOf(paths.monitorLog)}`,
      cause: error,
    });
  }
}

type Load = Omit<Restore, 'warm'> & { file: string };

async function load(start: Start, { config, file, paths, options }: Load): Promise<VmProcess> {
  const { signal } = options;
  signal?.throwIfAborted();
  const vm = await start({ config, paths, ram: { kind: 'saved' }, state: file });
  try {
    await loadMemory(paths, vm, options);
    return vm;
  } catch (error) {
    const why = `${error instanceof Error ? error.message : error}; ${tailOf(paths.monitorLog)}`;
    await destroyVm(paths);
    if (signal?.aborted) throw error;
    throw new SbxError('vm-restore-failed', 'the saved memory could not be loaded', { why, cause: error });
  }
}

/** Moves a running VM to other paths: its jail binds files by inode, not by path. Writes the marker first: then both paths find its processes. The folder of `from` stays; its owner removes it. */
function moveVm(from: VmPaths, to: VmPaths): void {
  writeFileSync(movedFrom(to), markersOf(from).at(-1) ?? '', { mode: 0o600 });
  for (const path of [to.run, to.egress, ownLinkOf(to)]) rmSync(path, { recursive: true, force: true });
  for (const [source, target] of [
    [from.run, to.run],
    [from.egress, to.egress],
    [ownLinkOf(from), ownLinkOf(to)],
    [from.console, to.console],
    [from.monitorLog, to.monitorLog],
    [from.process, to.process],
  ] as const)
    if (existsSync(source)) renameSync(source, target);
}
