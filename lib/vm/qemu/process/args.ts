/** Builds QEMU's command line from facts: pure, tested without QEMU. */
import { type Accel, type Disk, type VmConfig, WORKSPACE_LINK } from '../../driver.ts';

/** Where things lie inside the jail */
export const JAIL = {
  run: '/vm',
  egress: '/egress',
  console: '/vm-console',
  state: '/vm-state',
  workspace: '/workspace',
  proxy: '/egress/proxy',
} as const;

/** The one address and port that the guest's network card reaches */
const PROXY_ADDRESS = { host: '10.0.2.100', port: 3128 } as const;

export interface QemuFacts {
  accel: Accel;
  /** Asked of the binary: `7.2.22` */
  version: string;
  /** Time stamp counter of the host; undefined where it is not known */
  tscKhz: number | undefined;
  /** Model and features of the host's processor, which KVM shows to a guest */
  processor: string;
  /** Bound of TCG's code cache, in MiB */
  translationCacheMib: number;
}

export type Ram =
  /** Anonymous memory */
  | { kind: 'private' }
  /** Shared with a file, for a snapshot */
  | { kind: 'capture'; file: string }
  /** A private copy-on-write view of a warm file */
  | { kind: 'clone'; file: string }
  /** Anonymous, filled from a saved memory */
  | { kind: 'saved' };

export interface QemuArgsInput {
  config: VmConfig;
  facts: QemuFacts;
  ram: Ram;
  /** Marks the processes of this VM: see `find` */
  marker: string;
}

export function buildQemuArgs({ config, facts, ram, marker }: QemuArgsInput): string[] {
  const mib = Math.floor(config.memoryBytes / 1024 ** 2);
  return [
    '-name',
    marker,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-no-reboot',
    '-M',
    machine(facts),
    ...accelerator(facts),
    '-smp',
    String(config.cpus),
    '-m',
    `${mib}M`,
    '-object',
    memory(ram, mib, facts),
    '-kernel',
    config.kernel,
    '-initrd',
    config.initrd,
    '-append',
    kernelCommandLine(config, facts),
    '-chardev',
    `socket,id=qmp,path=${JAIL.run}/qmp,server=on,wait=off`,
    '-mon',
    'chardev=qmp,mode=control',
    '-chardev',
    `file,id=console,path=${JAIL.console},append=on`,
    '-serial',
    'chardev:console',
    '-device',
    'virtio-serial-device,max_ports=4',
    '-chardev',
    `socket,id=agent,path=${JAIL.run}/agent,server=on,wait=off`,
    '-device',
    'virtserialport,chardev=agent,name=sbx.agent',
    '-chardev',
    `socket,id=setup,path=${JAIL.run}/setup,server=on,wait=off`,
    '-device',
    'virtserialport,chardev=setup,name=sbx.setup',
    ...config.disks.flatMap(diskArgs),
    ...workspaceArgs(),
    // No address but the proxy's, no IPv6 (libslirp forwards a crafted source), no DNS, no DHCP name.
    // `shut-down`: what the gateway ends or cuts ends for the guest at once, and not only after socat's patience with the other direction.
    '-netdev',
    `user,id=net,restrict=on,ipv6=off,guestfwd=tcp:${PROXY_ADDRESS.host}:${PROXY_ADDRESS.port}-cmd:socat -t 60 STDIO,,shut-down UNIX-CONNECT:${JAIL.proxy}`,
    '-device',
    'virtio-net-device,netdev=net,mac=52:54:00:5b:78:01',
    '-device',
    'virtio-balloon-device,id=balloon',
    '-device',
    'virtio-rng-device',
    // guestfwd starts its command with setsid, which `elevateprivileges=deny` (and `children`) would kill. There is no privilege to
    // elevate to: no capabilities, one user id, no_new_privs. What can be started is what the jail holds.
    '-sandbox',
    'on,obsolete=deny,resourcecontrol=deny',
    // Nothing runs before the monitor says so.
    '-S',
    ...(ram.kind === 'clone' || ram.kind === 'saved' ? ['-incoming', 'defer'] : []),
  ];
}

function machine(facts: QemuFacts): string {
  // From 8.2 on a microvm without option ROMs never boots; before, with them it boots slower.
  const roms = versionAtLeast(facts.version, 8, 0) ? '' : ',x-option-roms=off';
  return `microvm${roms},isa-serial=on,rtc=on,acpi=on,memory-backend=ram`;
}

function accelerator(facts: QemuFacts): string[] {
  if (facts.accel === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  return ['-accel', `tcg,thread=multi,tb-size=${facts.translationCacheMib}`, '-cpu', 'max'];
}

function memory(ram: Ram, mib: number, facts: QemuFacts): string {
  if (ram.kind === 'private' || ram.kind === 'saved') return `memory-backend-ram,id=ram,size=${mib}M`;
  if (ram.kind === 'capture')
    return `memory-backend-file,id=ram,size=${mib}M,mem-path=${optionValue(ram.file)},share=on`;
  // Before 8.2 the file is opened read-write even for a private view: see the seal in lib/image/store/store.ts.
  const readonly = versionAtLeast(facts.version, 8, 2) ? ',readonly=on,rom=off' : '';
  return `memory-backend-file,id=ram,size=${mib}M,mem-path=${optionValue(ram.file)},share=off${readonly}`;
}

function kernelCommandLine(config: VmConfig, facts: QemuFacts): string {
  // The guest's counter is the host's own, at a rate that is known. Otherwise a kernel measures it against interrupts that come late, calls it
  // unstable and counts ticks instead: then a clock loses what a busy host delays, and an idle machine wakes 250 times a second.
  const timer =
    facts.accel === 'tcg' && facts.tscKhz !== undefined
      ? [`tsc_early_khz=${facts.tscKhz}`, 'tsc=reliable', 'no_timer_check']
      : [];
  const speed = facts.accel === 'tcg' ? ['mitigations=off'] : [];
  return [
    'console=ttyS0',
    'reboot=t',
    'panic=-1',
    'loglevel=4',
    'net.ifnames=0',
    'transparent_hugepage=never',
    'apparmor=0',
    'random.trust_cpu=on',
    ...timer,
    ...speed,
    config.cmdline,
  ]
    .filter(Boolean)
    .join(' ');
}

function diskArgs(disk: Disk, index: number): string[] {
  const id = diskDevice(index);
  const options = [
    `id=${id}`,
    `file=${optionValue(disk.path)}`,
    `format=${disk.format}`,
    'if=none',
    `readonly=${disk.readonly ? 'on' : 'off'}`,
    'discard=unmap',
    'cache=writeback',
    'aio=threads',
    ...backingOptions(disk.backing),
  ];
  return ['-drive', options.join(','), '-device', `virtio-blk-device,drive=${id},serial=${disk.serial}`];
}

/** Its name in the monitor */
export function diskDevice(index: number): string {
  return `disk${index}`;
}

/** All VMs have both devices: a clone must have those of its snapshot. */
function workspaceArgs(): string[] {
  const { port, mailbox } = WORKSPACE_LINK;
  return [
    '-chardev',
    `socket,id=workspace,path=${JAIL.workspace}/${port},server=on,wait=off`,
    '-device',
    'virtserialport,chardev=workspace,name=sbx.workspace',
    // The server has the file open at the same time. A host without space fails a write of the relay, which has another way, and stops no VM.
    '-drive',
    `id=mailbox,file=${JAIL.workspace}/${mailbox},format=raw,if=none,cache=writeback,aio=threads,file.locking=off,werror=report,rerror=report`,
    '-device',
    'virtio-blk-device,drive=mailbox,serial=sbx-mailbox',
  ];
}

/** Named here, too: the paths in the images are those of the store when they were made. */
function backingOptions(backing: string[]): string[] {
  return backing.flatMap((path, index) => {
    const at = 'backing.'.repeat(index + 1);
    return [
      `${at}driver=${index === backing.length - 1 ? 'raw' : 'qcow2'}`,
      `${at}file.driver=file`,
      `${at}file.filename=${optionValue(path)}`,
    ];
  });
}

/** QEMU reads a doubled comma as a part of the value. */
export function optionValue(path: string): string {
  return path.replaceAll(',', ',,');
}

export function versionAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
