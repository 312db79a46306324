/** Where the workspace answers otherwise than ext4, and why. */
export interface Difference {
  users: ('agent' | 'root')[];
  /** Case and operation, as posix-cases.txt has them */
  operation: string;
  disk: string;
  workspace: string;
  reason: string;
}

const BOTH: Difference['users'] = ['agent', 'root'];
const REMOVED_FOLDER = 'a folder that was removed is not held open for a process that has it as its current folder';
const SEARCH = 'the server opens a folder from within: that needs the right to search it, too';
const HOST_RIGHTS = "the server has the host user's rights: root inside cannot do what they do not permit";
const NO_PRIVILEGE = 'special bits end with each write, whoever writes';

/** In the order of the cases */
export const DIFFERENCES: Difference[] = [
  { users: BOTH, operation: 'current folder removed: stat . kind', ...differ('dir', 'ESTALE', REMOVED_FOLDER) },
  { users: BOTH, operation: 'current folder removed: list .', ...differ("''", 'ESTALE', REMOVED_FOLDER) },
  {
    users: BOTH,
    operation: 'truncate far: truncate a 9223372036854775807',
    ...differ('EFBIG', 'EINVAL', 'the server takes sizes up to 2 to the power of 53'),
  },
  {
    users: ['agent'],
    operation: 'not root, permissions of the owner: list d',
    ...differ('f', 'EACCES', SEARCH),
  },
  {
    users: ['root'],
    operation: 'root writes a file with special bits: stat a mode',
    ...differ('6755', '0755', NO_PRIVILEGE),
  },
  ...(
    [
      ['open 2 a RDWR', 'ok', 'EACCES'],
      ['write 2 x', '1', 'was not opened'],
      ['open 3 d/f CREAT|RDWR', 'ok', 'EACCES'],
      ['list d', 'f', 'EACCES'],
    ] as const
  ).map(
    ([operation, disk, workspace]): Difference => ({
      users: ['root'],
      operation: `root reads and writes anything: ${operation}`,
      ...differ(disk, workspace, HOST_RIGHTS),
    }),
  ),
];

function differ(disk: string, workspace: string, reason: string) {
  return { disk, workspace, reason };
}
