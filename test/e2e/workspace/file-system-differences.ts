/** Where the workspace answers otherwise than ext4, and why. */
export interface Difference {
  users: ('agent' | 'root')[];
  /** Case and operation, as posix-cases.txt has them */
  operation: string;
  disk: string;
  workspace: string;
  reason: string;
}

/** In the order of the cases */
export const DIFFERENCES: Difference[] = [];
