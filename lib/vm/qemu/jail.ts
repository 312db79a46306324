/** Builds the command line of bubblewrap, which jails every QEMU: pure; nothing else of the host is inside. */
import type { JailMount } from '../../system/jail-mount.ts';
import { JAIL } from './args.ts';

export interface JailInput {
  /** Host folder of the VM's sockets: bound at `JAIL.run` */
  run: string;
  /** Host folder of the gateway's socket: bound at `JAIL.egress` */
  egress: string;
  console: string;
  /** Files QEMU reads only, at their own paths */
  readFiles: string[];
  /** Files QEMU writes: its own disk, a RAM file */
  writeFiles: string[];
  /** The device state of a snapshot, at `JAIL.state` */
  state: string | undefined;
  stateWritable: boolean;
  /** Bound below `JAIL.export` */
  mounts: JailMount[];
  kvm: boolean;
  /** An empty folder of the host's, for mounts whose source is `empty-dir` */
  emptyDir: string;
  /** Descriptor to which bubblewrap writes `{"child-pid": N}` and at the end `{"exit-code": N}`, a line each */
  infoFd: number;
}

/** The guest's user and the owner of the workspace are one: this id inside, the host's user outside. */
const JAIL_UID = 1000;

/** Own namespaces, an empty network among them, no capabilities, no environment, and of the host a read-only /usr. */
export const ISOLATED: readonly string[] = [
  '--unshare-user',
  '--unshare-pid',
  '--unshare-net',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--uid',
  String(JAIL_UID),
  '--gid',
  String(JAIL_UID),
  '--cap-drop',
  'ALL',
  '--hostname',
  'sbx',
  '--new-session',
  '--clearenv',
  '--setenv',
  'PATH',
  '/usr/bin:/usr/sbin',
  '--ro-bind',
  '/usr',
  '/usr',
  '--symlink',
  'usr/lib',
  '/lib',
  '--symlink',
  'usr/lib64',
  '/lib64',
  '--symlink',
  'usr/bin',
  '/bin',
  '--symlink',
  'usr/sbin',
  '/sbin',
  '--ro-bind-try',
  '/etc/ld.so.cache',
  '/etc/ld.so.cache',
  '--proc',
  '/proc',
  '--dev',
  '/dev',
  '--tmpfs',
  '/tmp',
];

export function buildJailArgs(input: JailInput): string[] {
  return [
    ...ISOLATED,
    '--json-status-fd',
    String(input.infoFd),
    ...(input.kvm ? ['--dev-bind', '/dev/kvm', '/dev/kvm'] : []),
    '--tmpfs',
    JAIL.export,
    '--bind',
    input.run,
    JAIL.run,
    '--ro-bind',
    input.egress,
    JAIL.egress,
    '--bind',
    input.console,
    JAIL.console,
    ...(input.state === undefined ? [] : [input.stateWritable ? '--bind' : '--ro-bind', input.state, JAIL.state]),
    ...input.readFiles.flatMap((path) => ['--ro-bind', path, path]),
    ...input.writeFiles.flatMap((path) => ['--bind', path, path]),
    ...input.mounts.flatMap((mount) => mountArgs(mount, input.emptyDir)),
    // The tree of mount points itself: nothing can be made beside the mounts.
    '--remount-ro',
    JAIL.export,
    '--remount-ro',
    '/',
    '--chdir',
    '/',
    '--',
  ];
}

function mountArgs(mount: JailMount, emptyDir: string): string[] {
  const source = mount.source === 'empty-dir' ? emptyDir : mount.source;
  return [mount.readonly ? '--ro-bind' : '--bind', source, mount.target];
}
