/** Says why a command inside ended, when its code alone does not. */

const LINE =
  'sbx: out of memory: the kernel of the sandbox ended a process of this command; raise [resources] memory, or run less at once\n';

/** One line on stderr, after all output of the command. */
export function sayOutOfMemory({ outOfMemory }: { outOfMemory?: true }): void {
  if (outOfMemory === true) process.stderr.write(LINE);
}
