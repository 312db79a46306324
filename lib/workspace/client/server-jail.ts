/** The command line of a workspace server in its jail: pure. */
import { basename } from 'node:path';
import { ISOLATED } from '../../system/isolated.ts';

/** A folder or file of the host that a server serves. */
export interface JailFolder {
  /** Real absolute path */
  path: string;
  readonly: boolean;
  isFile: boolean;
}

/** A file or folder of the host's that is part of the program. */
export interface JailCode {
  source: string;
  target: string;
}

export interface ServerJail {
  folders: JailFolder[];
  /** See `WorkspacePaths` */
  shared: string;
  /** The server's bundle */
  script: string;
  /** What Node needs to run it, bound read-only: the program, the bundles, native modules */
  code: JailCode[];
  node: string;
  /** Tells the processes of this server from all others */
  marker: string;
  /** Of this build of sbx: another one's server is replaced */
  build: string;
  /** False where bubblewrap cannot give the right to open what the mode denies its owner */
  ownerRights: boolean;
  /** Descriptor for bubblewrap's status */
  infoFd: number;
}

/** Where things lie in the jail */
const SHARED = '/shared';
export const INSIDE = {
  control: `${SHARED}/control`,
  link: (id: string) => `${SHARED}/links/${id}/port`,
  layer: (id: string, folder: string) => `${SHARED}/layers/${id}/${folder}`,
  mailbox: (id: string) => `${SHARED}/links/${id}/mailbox`,
  state: (id: string) => `${SHARED}/${id}.json`,
  /** The folder to serve; a single file is alone in one */
  root: (index: number) => `/roots/${index}`,
} as const;

/** The server's own tables are bounded; this bounds what a fault in them could take */
const HEAP_MIB = 192;

/** Nothing else of the host is in it; the empty folders of its own root file system cannot be written. */
export function serverCommand(jail: ServerJail): string[] {
  return [
    ...ISOLATED,
    ...(jail.ownerRights ? ['--cap-add', 'CAP_DAC_OVERRIDE'] : []),
    '--json-status-fd',
    String(jail.infoFd),
    ...jail.code.flatMap(({ source, target }) => ['--ro-bind', source, target]),
    '--bind',
    jail.shared,
    SHARED,
    ...jail.folders.flatMap(({ path, readonly, isFile }, index) => [
      readonly ? '--ro-bind' : '--bind',
      path,
      isFile ? `${INSIDE.root(index)}/${basename(path)}` : INSIDE.root(index),
    ]),
    '--remount-ro',
    '/',
    '--chdir',
    '/',
    '--',
    jail.node,
    `--max-old-space-size=${HEAP_MIB}`,
    jail.script,
    jail.marker,
    INSIDE.control,
    jail.build,
  ];
}
