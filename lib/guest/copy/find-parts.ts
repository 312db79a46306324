/** Finds the holes of a file. Node has no `lseek`: perl calls it. */
import { spawn } from 'node:child_process';
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { MAX_PARTS, type SparseFile } from './sparse-map.ts';

/** Holes of less than this in total are not worth a process, in bytes */
const WORTH = 64 * 1024;
/** Unit of `Stats.blocks` */
const BLOCK = 512;

/** Prints the place and length of each part with data; the last one that is allowed reaches to the end. */
const SCRIPT = `
my ($size, $most) = @ARGV;
open(my $file, '<&=', 3) or exit 1;
for (my $at = 0; $at < $size; ) {
  my $from = sysseek($file, $at, 3);
  # ENXIO: the rest is a hole
  if (!defined $from) { exit($! + 0 == 6 ? 0 : 1) }
  my $to = --$most > 0 ? sysseek($file, $from, 4) : $size;
  $to = $size if !defined $to || $to > $size;
  exit 0 if $from >= $to;
  printf("%d %d\\n", $from, $to - $from);
  $at = $to;
}`;

/** Undefined: it has no holes, or the system does not say where. `perl`: its command, which may have leading arguments */
export async function findParts(file: FileHandle, found: Stats, perl: string[]): Promise<SparseFile | undefined> {
  if (found.size - found.blocks * BLOCK < WORTH) return undefined;
  const output = await run([...perl, '-e', SCRIPT, String(found.size), String(MAX_PARTS)], file.fd);
  const parts = output?.split('\n').flatMap((line) => {
    const [at, length] = line.split(' ').map(Number);
    return at === undefined || length === undefined ? [] : [{ at, length }];
  });
  return parts === undefined ? undefined : { size: found.size, parts };
}

/** Undefined: it failed, or there is none */
function run([command, ...args]: string[], fd: number): Promise<string | undefined> {
  if (command === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore', fd] });
    let output = '';
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      output += text;
    });
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? output : undefined));
  });
}
