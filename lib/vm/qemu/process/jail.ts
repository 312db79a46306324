/** Builds the command line of bubblewrap, which jails every QEMU: pure; nothing else of the host is inside. */
import { ISOLATED } from '../../../system/isolated.ts';
import { JAIL } from './args.ts';

export interface JailInput {
  /** Host folder of the VM's sockets: bound at `JAIL.run` */
  run: string;
  /** Host folder of the gateway's socket: bound at `JAIL.egress` */
  egress: string;
  /** Host folder of the workspace server's socket: bound at `JAIL.workspace` */
  workspace: string;
  console: string;
  /** Files QEMU reads only, at their own paths */
  readFiles: string[];
  /** Files QEMU writes: its own disk, a RAM file */
  writeFiles: string[];
  /** The device state of a snapshot, at `JAIL.state` */
  state: string | undefined;
  stateWritable: boolean;
  kvm: boolean;
  /** Descriptor to which bubblewrap writes `{"child-pid": N}` and at the end `{"exit-code": N}`, a line each */
  infoFd: number;
}

export function buildJailArgs(input: JailInput): string[] {
  return [
    ...ISOLATED,
    '--json-status-fd',
    String(input.infoFd),
    ...(input.kvm ? ['--dev-bind', '/dev/kvm', '/dev/kvm'] : []),
    '--bind',
    input.run,
    JAIL.run,
    '--ro-bind',
    input.egress,
    JAIL.egress,
    '--bind',
    input.workspace,
    JAIL.workspace,
    '--bind',
    input.console,
    JAIL.console,
    ...(input.state === undefined ? [] : [input.stateWritable ? '--bind' : '--ro-bind', input.state, JAIL.state]),
    ...input.readFiles.flatMap((path) => ['--ro-bind', path, path]),
    ...input.writeFiles.flatMap((path) => ['--bind', path, path]),
    '--remount-ro',
    '/',
    '--chdir',
    '/',
    '--',
  ];
}
