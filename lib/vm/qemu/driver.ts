/** The QEMU driver: jailed processes that live on without us. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, SbxError } from '../../errors.ts';
import { isAlive, run, startTimeOf, toolMissing } from '../../process.ts';
import type {
  BootOptions,
  StartOptions,
  VmDriver,
  VmExit,
  VmHealth,
  VmPlaces,
  VmProcess,
  VmShape,
  WarmFiles,
} from '../driver.ts';
import { probeQemu } from './accel.ts';
import { buildQemuArgs, JAIL, type QemuFacts, type Ram, versionAtLeast } from './args.ts';
import { buildJailArgs } from './jail.ts';
import { Qmp } from './qmp.ts';

export interface QemuDriverOptions {
  /** Where probe results are kept */
  probeCache: string;
  /** Default: `SBX_QEMU`, else qemu-system-x86_64 on the usual paths */
  binary?: string;
  bwrap?: string;
}

const INFO_FD = 3;
const HEALTH_DEADLINE_MS = 2_000;
const MONITOR_DEADLINE_MS = 20_000;
const MIGRATION_DEADLINE_MS = 120_000;

export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const binary = options.binary ?? process.env['SBX_QEMU'] ?? '/usr/bin/qemu-system-x86_64';
  const bwrap = options.bwrap ?? '/usr/bin/bwrap';
  let facts: Promise<QemuFacts> | undefined;
  const getFacts = () => {
    facts ??= probeQemu(binary, options.probeCache).then((report) => report.facts);
    facts.catch(() => {
      facts = undefined;
    });
    return facts;
  };
  const start = async (shape: VmShape, places: VmPlaces, ram: Ram, state?: string) =>
    launch({ binary, bwrap, shape, places, ram, facts: await getFacts(), state });

  return {
    async boot(shape, places, boot: BootOptions) {
      boot.signal?.throwIfAborted();
      const ram: Ram = boot.ramFile === undefined ? { kind: 'private' } : { kind: 'capture', file: boot.ramFile };
      const vm = await start(shape, places, ram, boot.ramFile === undefined ? undefined : `${boot.ramFile}.device`);
      try {
        await using qmp = await Qmp.open(places.qmp, {
          deadlineMs: MONITOR_DEADLINE_MS,
          alive: () => isAlive(vm),
          signal: boot.signal,
        });
        await boot.beforeRun?.(vm);
        await qmp.execute('cont');
        return vm;
      } catch (error) {
        const explained = (await endsSoon(vm)) ? notStarted(places) : error;
        await destroyVm(places);
        throw explained;
      }
    },
    async restore(shape, warm, places, options: StartOptions = {}) {
      const { signal } = options;
      signal?.throwIfAborted();
      const vm = await start(shape, places, { kind: 'clone', file: warm.ram }, warm.device);
      try {
        await resume(places, vm, options);
        return vm;
      } catch (error) {
        await destroyVm(places);
        if (signal?.aborted || (error instanceof SbxError && error.code === 'workspace')) throw error;
        throw new SbxError('vm-restore-failed', 'the warm snapshot could not be resumed', {
          why: `${error instanceof Error ? error.message : error}; ${tailOf(places.monitorLog)}`,
          cause: error,
        });
      }
    },
    snapshot: (places, into, signal) => takeSnapshot(places, into, signal),
    find: findVm,
    lastExit,
    health,
    goOn,
    destroy: destroyVm,
    async identity() {
      const { accel, version, translationCacheMib } = await getFacts();
      const file = statSync(binary);
      return createHash('sha256')
        .update(JSON.stringify([accel, version, translationCacheMib, file.size, file.mtimeMs]))
        .digest('hex')
        .slice(0, 16);
    },
  };
}

interface Launch {
  binary: string;
  bwrap: string;
  shape: VmShape;
  places: VmPlaces;
  ram: Ram;
  facts: QemuFacts;
  /** The device state: read by a clone, written by a capture */
  state: string | undefined;
}

/** Starts the jail and returns once its first process exists. bubblewrap itself writes the pid down, so a killed caller loses nothing. */
async function launch(input: Launch): Promise<VmProcess> {
  const { places, shape, ram, facts } = input;
  for (const path of [places.run, places.door, join(places.dir, 'empty')])
    mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const path of [places.qmp, places.agent, places.setup, places.process]) rmSync(path, { force: true });
  writeFileSync(places.console, '', { mode: 0o600, flag: 'a' });
  const readFiles = [
    shape.kernel,
    shape.initrd,
    ...ownQemu(input.binary),
    ...shape.disks.flatMap((disk) => [...disk.backing, ...(disk.readonly ? [disk.path] : [])]),
  ];
  const writeFiles = shape.disks.filter((disk) => !disk.readonly).map((disk) => disk.path);
  if (ram.kind === 'capture') {
    writeFiles.push(ram.file);
    for (const path of [ram.file, input.state]) if (path !== undefined) writeFileSync(path, '', { mode: 0o600 });
  }
  if (ram.kind === 'clone') (versionAtLeast(facts.version, 8, 2) ? readFiles : writeFiles).push(ram.file);
  const args = [
    ...buildJailArgs({
      run: places.run,
      door: places.door,
      console: places.console,
      readFiles: [...new Set(readFiles)],
      writeFiles,
      mounts: shape.mounts,
      kvm: facts.accel === 'kvm',
      emptyDir: join(places.dir, 'empty'),
      state: input.state,
      stateWritable: ram.kind === 'capture',
      infoFd: INFO_FD,
    }),
    input.binary,
    ...buildQemuArgs({ shape, facts, ram, marker: markerOf(places) }),
  ];
  const log = openSync(places.monitorLog, 'w', 0o600);
  const info = openSync(places.process, 'w', 0o600);
  try {
    const child = spawn(input.bwrap, args, { stdio: ['ignore', log, log, info], detached: true, cwd: '/' });
    const ended = new Promise<'ended'>((resolve) => child.once('exit', () => resolve('ended')));
    const failed = new Promise<Error>((resolve) => child.once('error', resolve));
    child.unref();
    return await untilStarted(places, ended, failed, input);
  } finally {
    closeSync(log);
    closeSync(info);
  }
}

/** A QEMU beside the system's, with the firmware and the modules of its own installation. */
function ownQemu(binary: string): string[] {
  if (binary.startsWith('/usr/')) return [];
  const bin = dirname(binary);
  const beside = basename(bin) === 'bin' ? ['share', 'lib'].map((name) => join(dirname(bin), name)) : [];
  return [binary, ...beside.filter((path) => existsSync(path))];
}

async function untilStarted(
  places: VmPlaces,
  ended: Promise<'ended'>,
  failed: Promise<Error>,
  input: Launch,
): Promise<VmProcess> {
  for (;;) {
    const vm = findVm(places);
    if (vm !== undefined) return vm;
    const event = await Promise.race([ended, failed, sleep(2, undefined)]);
    if (event === 'ended') throw notStarted(places);
    if (event instanceof Error) throw errnoOf(event) === 'ENOENT' ? toolMissing(input.bwrap, event) : event;
  }
}

/** Its monitor closes a moment before the process is gone. */
async function endsSoon(vm: VmProcess): Promise<boolean> {
  for (let tries = 0; tries < 50 && isAlive(vm); tries += 1) await sleep(10);
  return !isAlive(vm);
}

function notStarted(places: VmPlaces): SbxError {
  const why = tailOf(places.monitorLog);
  if (/namespace|Operation not permitted|setting up uid map|unshare/i.test(why)) {
    return new SbxError('no-jail', 'the jail for the virtual machine could not be made', {
      why,
      hint: 'allow user namespaces for this user (`sbx doctor` shows how)',
    });
  }
  if (/execvp .*No such file/.test(why)) return toolMissing('qemu-system-x86_64');
  if (/No space left/i.test(why))
    return new SbxError('no-space', 'the virtual machine found no space left on the disk', {
      why,
      hint: 'free some space, for example by `sbx gc`',
    });
  return new SbxError('vm-boot-failed', 'the virtual machine did not start', { why, hint: 'run `sbx doctor`' });
}

async function resume(places: VmPlaces, vm: VmProcess, { signal, beforeRun }: StartOptions): Promise<void> {
  await using qmp = await Qmp.open(places.qmp, { deadlineMs: MONITOR_DEADLINE_MS, alive: () => isAlive(vm), signal });
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
  await qmp.execute('migrate-incoming', { uri: `exec:cat ${JAIL.state}` });
  const loaded = await qmp.until<{ status: string }>(
    'query-status',
    (answer) => answer.status !== 'inmigrate',
    MIGRATION_DEADLINE_MS,
  );
  if (loaded.status !== 'paused' && loaded.status !== 'prelaunch')
    throw new SbxError('qmp', `QEMU is ${loaded.status} after loading the device state`);
  await beforeRun?.(vm);
  await qmp.execute('cont');
}

async function takeSnapshot(places: VmPlaces, into: WarmFiles, signal: AbortSignal | undefined): Promise<void> {
  const vm = findVm(places);
  if (vm === undefined) throw new SbxError('vm-died', 'the virtual machine ended before its snapshot');
  {
    await using qmp = await Qmp.open(places.qmp, { deadlineMs: MONITOR_DEADLINE_MS, alive: () => isAlive(vm), signal });
    await qmp.execute('stop');
    await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
    await qmp.execute('migrate', { uri: `exec:cat >${JAIL.state}` });
    const ended = await qmp.until<{ status?: string }>(
      'query-migrate',
      (answer) => answer.status === 'completed' || answer.status === 'failed',
      MIGRATION_DEADLINE_MS,
    );
    if (ended.status !== 'completed')
      throw new SbxError('vm-restore-failed', 'the snapshot could not be written', { why: tailOf(places.monitorLog) });
    await qmp.execute('quit').catch(() => {});
  }
  await destroyVm(places);
  // Pages of zeros become holes. Pages the guest never touched are holes already: a fresh boot is captured, so little is freed memory.
  await run('fallocate', ['--dig-holes', into.ram], signal === undefined ? {} : { signal });
  renameSync(`${into.ram}.device`, into.device);
}

async function health(places: VmPlaces): Promise<VmHealth> {
  const vm = findVm(places);
  if (vm === undefined) return 'unknown';
  try {
    await using qmp = await Qmp.open(places.qmp, { deadlineMs: HEALTH_DEADLINE_MS, alive: () => isAlive(vm) });
    const { status } = (await qmp.execute('query-status')) as { status: string };
    if (status === 'io-error') return 'disk-full';
    return status === 'running' ? 'running' : 'paused';
  } catch {
    return 'unknown';
  }
}

async function goOn(places: VmPlaces): Promise<void> {
  const vm = findVm(places);
  if (vm === undefined) return;
  await using qmp = await Qmp.open(places.qmp, { deadlineMs: MONITOR_DEADLINE_MS, alive: () => isAlive(vm) });
  await qmp.execute('cont');
}

/** Stands in the command line of every process of the VM: no other process has it. */
function markerOf(places: VmPlaces): string {
  return `sbx-vm:${places.dir.replaceAll(',', '_')}`;
}

function findVm(places: VmPlaces): VmProcess | undefined {
  try {
    const first = readFileSync(places.process, 'utf8').split('\n')[0] ?? '';
    return describe((JSON.parse(first) as { 'child-pid': number })['child-pid'], places);
  } catch {
    return undefined;
  }
}

/** bubblewrap writes the exit code itself, so that it is known also when nobody of us was there. */
function lastExit(places: VmPlaces): VmExit | undefined {
  try {
    const code = /"exit-code":\s*(\d+)/.exec(readFileSync(places.process, 'utf8'))?.[1];
    return { code: code === undefined ? undefined : Number(code), at: statSync(places.process).mtimeMs };
  } catch {
    return undefined;
  }
}

function describe(pid: number, places: VmPlaces): VmProcess | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!args.includes(markerOf(places))) return undefined;
  const accel = args.includes('kvm') ? 'kvm' : 'tcg';
  return { pid, startTime, accel, startedAt: statSync(places.process).mtime.toISOString() };
}

async function destroyVm(places: VmPlaces): Promise<void> {
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

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('; ');
  } catch {
    return '';
  }
}
