/** A sandbox of the bench whose project has many files, and what is timed by its own clock: no command line, no port. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './table.ts';
import type { World } from './world.ts';

const IN_A_FOLDER = 50;

/** A repository of so many small files in the project, all committed. */
export function makeTree(dir: string, files: number): void {
  for (let index = 0; index < files; index += 1) {
    const folder = join(dir, `d${Math.floor(index / IN_A_FOLDER)}`);
    if (index % IN_A_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${index}.txt`), `file ${index}\n`);
  }
}

export function commitAll(dir: string): void {
  const git = (...args: string[]) => execFileSync('git', ['-C', dir, ...args], { stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-qm', 'files');
}

/** Folders in the guest in which the same command is timed */
export interface Places {
  workspace: string;
  /** On the guest's own disk */
  disk: string;
}

/** Medians in milliseconds; the places take turns, after a first round that does not count. `before`: not timed, in the same folder. */
export async function inTurns(
  { sbx }: World,
  places: Places,
  { command, before = ':', rounds }: { command: string; before?: string; rounds: number },
): Promise<{ workspace: number; disk: number }> {
  const script = `set -e
for round in $(seq 0 ${rounds}); do for place in "$@"; do
  cd "$place"; { ${before}; } >/dev/null 2>&1
  from=$(date +%s%N); { ${command}; } >/dev/null; to=$(date +%s%N)
  [ "$round" = 0 ] || echo "$place $(((to - from) / 1000))"
done; done`;
  const { workspace, disk } = places;
  const lines = (await sbx(['exec', '--', 'sh', '-c', script, 'sh', workspace, disk])).trim().split('\n');
  const of = (place: string) =>
    median(lines.filter((line) => line.startsWith(`${place} `)).map((line) => Number(line.split(' ').at(-1)) / 1000));
  return { workspace: of(workspace), disk: of(disk) };
}
