/** Where the workspace answers otherwise than ext4, and why. */
export interface Difference {
  users: ('agent' | 'root')[];
  /** Case and operation, as posix-cases.txt has them */
  operation: string;
  disk: string;
  workspace: string;
  reason: string;
}

const HOST_RIGHTS = "the server has the host user's rights: root inside cannot do what they do not permit";
const NO_PRIVILEGE = 'special bits end with each write, whoever writes';

/** In the order of the cases */
export const DIFFERENCES: Difference[] = [
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
