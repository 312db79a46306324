/** Gives the files of an earlier build their present names. Each step is a rename, so that one cut off anywhere is finished by the next. */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { type Home, instancePaths } from '../paths.ts';

/** Removes what earlier builds kept and this one does not need. */
export function migrateHome(home: Home): void {
  rmSync(join(home.root, 'specs'), { recursive: true, force: true });
}

/** A running VM keeps its sockets: its jail holds the folder itself, not its name. */
export function migrateInstance(home: Home, id: string): void {
  const paths = instancePaths(home, id);
  rename(join(paths.dir, 'door'), paths.egress);
  rename(join(paths.dir, 'placeholders.json'), paths.mountStubs);
  const standIns = join(paths.dir, 'stand-ins.json');
  if (!existsSync(standIns)) return;
  if (!existsSync(paths.placeholders)) {
    const { standIns: placeholders } = readStandIns(standIns);
    writeFileAtomic.sync(paths.placeholders, JSON.stringify({ version: 1, placeholders }), { mode: 0o600 });
  }
  rmSync(standIns, { force: true });
}

function rename(from: string, to: string): void {
  if (existsSync(from) && !existsSync(to)) renameSync(from, to);
}

/** A damaged file holds none: they are made again. */
function readStandIns(file: string): { standIns: Record<string, string> } {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { version: number; standIns?: Record<string, string> };
    return { standIns: value.version === 1 ? (value.standIns ?? {}) : {} };
  } catch {
    return { standIns: {} };
  }
}
