/** The boundary to a virtual machine monitor. QEMU is behind it (lib/vm/qemu). */
import { join } from 'node:path';
import { MAILBOX_BYTES } from '../guest/copy/lane.ts';

export type Accel = 'kvm' | 'tcg';

/** A disk of the guest. */
export interface Disk {
  /** How the guest's start-up finds it: `sbx-root`, `sbx-runtime` */
  serial: string;
  /** Absolute path on the host */
  path: string;
  format: 'qcow2' | 'raw';
  readonly: boolean;
  /** A qcow2 that is smaller is made this large before the guest is booted */
  minBytes?: number;
  /** Backing files, nearest first, the last one raw and the others qcow2: bound read-only into the jail at the same path */
  backing: string[];
}

export interface VmConfig {
  cpus: number;
  memoryBytes: number;
  kernel: string;
  initrd: string;
  /** Appended to the driver's own kernel command line */
  cmdline: string;
  disks: Disk[];
  /** Where the guest's relay meets the workspace server: a host folder (0700) with what `WORKSPACE_LINK` names. Default: one in the VM's own folder */
  workspace?: { link: string } | undefined;
}

/** Names in the folder of `VmConfig.workspace`, and the size of the mailbox */
export const WORKSPACE_LINK = {
  /** Socket of the guest's relay, made by the driver */
  port: 'port',
  /** Device for large payloads, as a sparse file of a fixed size. The monitor can write in the folder: open it with O_NOFOLLOW */
  mailbox: 'mailbox',
  /** In bytes */
  mailboxBytes: MAILBOX_BYTES,
} as const;

/** Folders and sockets of one VM on the host; see `InstancePaths`. */
export interface VmPaths {
  dir: string;
  run: string;
  qmp: string;
  agent: string;
  setup: string;
  egress: string;
  process: string;
  console: string;
  monitorLog: string;
}

export interface VmProcess {
  /** Process 1 of the jail's pid namespace, as the host sees it: killing it ends all of the VM */
  pid: number;
  /** Start time from /proc/PID/stat, so that a reused pid is never taken for the VM */
  startTime: string;
  accel: Accel;
  startedAt: string;
}

export interface VmExit {
  /** Of QEMU; undefined when it was killed */
  code: number | undefined;
  /** Milliseconds since the epoch */
  at: number;
}

export interface WarmFiles {
  ram: string;
  device: string;
}

/** `disk-full`: the host had no space for what the guest wrote; the VM waits and loses nothing. `unknown`: its monitor does not answer */
export type VmHealth = 'running' | 'disk-full' | 'paused' | 'unknown';

/**
 * Create, find and end VMs. Every method MUST be safe to call again: `destroy` of a VM that is gone is no error.
 * No VM ends because its creator does.
 */
export interface VmDriver {
  /** Starts from the kernel. MUST NOT return before the guest agent's port exists; throws `vm-boot-failed`, `no-jail`, `tool-missing`. */
  boot(config: VmConfig, paths: VmPaths, options: BootOptions): Promise<VmProcess>;
  /** Clones a warm snapshot of the same config. Throws `vm-restore-failed`. */
  restore(config: VmConfig, warm: WarmFiles, paths: VmPaths, options?: StartOptions): Promise<VmProcess>;
  /** Writes RAM and device state of a VM that was booted with `ramFile`, then ends it. */
  snapshot(paths: VmPaths, into: WarmFiles, signal?: AbortSignal): Promise<void>;
  /**
   * Pauses the VM and writes all of its memory to `file`, which MUST NOT appear before it is whole. The VM stays paused until `destroy`, or until `continue`.
   * Throws `no-space`, `vm-save-failed`; the VM runs on then, also after an abort.
   */
  save(paths: VmPaths, file: string, options?: StartOptions): Promise<void>;
  /** Takes the pause of a `save` back, also of one that was cut off. No error for a VM that has ended. */
  continue(paths: VmPaths): Promise<void>;
  /** A new VM with the memory that `save` wrote, of the same config. It is paused: `resume` runs it. Throws `vm-restore-failed`. */
  load(config: VmConfig, file: string, paths: VmPaths, options?: StartOptions): Promise<VmProcess>;
  /** The running VM of these paths, or undefined. MUST read the process file only and check the start time. */
  find(paths: VmPaths): VmProcess | undefined;
  /** How the last process of these paths ended; undefined when none was started since `destroy`. */
  lastExit(paths: VmPaths): VmExit | undefined;
  /** Queries the monitor. MUST NOT throw. */
  health(paths: VmPaths): Promise<VmHealth>;
  /** Continues a VM that waits; the failed write is tried again. */
  resume(paths: VmPaths): Promise<void>;
  /** Makes a disk of the running VM at least so large, as the guest sees it; `index` counts in `VmConfig.disks`. MUST NOT make it smaller. Throws `vm-died`, `qmp`. */
  growDisk(paths: VmPaths, growth: { index: number; bytes: number }, signal?: AbortSignal): Promise<void>;
  /** Ends the VM at once and waits until its processes are gone. */
  destroy(paths: VmPaths): Promise<void>;
  /** Moves the running VM of `from` to `to`, which MUST have none. If interrupted anywhere, `destroy` of `from` still ends it. */
  move(from: VmPaths, to: VmPaths): void;
  /** Part of a warm snapshot's key: monitor build, machine, CPU model, accelerator. */
  identity(): Promise<string>;
}

export interface StartOptions {
  signal?: AbortSignal | undefined;
}

export interface BootOptions extends StartOptions {
  /** RAM is kept in this file, for a snapshot */
  ramFile?: string;
}

/** The folder of a VM for which `VmConfig.workspace` names none */
export function ownLinkOf({ dir }: Pick<VmPaths, 'dir'>): string {
  return join(dir, 'workspace');
}
