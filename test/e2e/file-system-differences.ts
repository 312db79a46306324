/** Where the workspace answers otherwise than ext4, and why. */
export interface Difference {
  users: ('agent' | 'root')[];
  /** Case and operation, as posix-cases.txt has them */
  operation: string;
  disk: string;
  workspace: string;
  reason: string;
}

const NO_PRIVILEGE = 'special bits end with each write, whoever writes';

/** In the order of the cases */
export const DIFFERENCES: Difference[] = [
  {
    users: ['root'],
    operation: 'root writes a file with special bits: stat a mode',
    ...differ('6755', '0755', NO_PRIVILEGE),
  },
];

function differ(disk: string, workspace: string, reason: string) {
  return { disk, workspace, reason };
}
