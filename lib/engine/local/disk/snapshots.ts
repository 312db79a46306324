/** Named states of the disk of a sandbox that does not run: copies beside it, which no program reads as a disk image but a VM. */
import { constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { copyFile, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import writeFileAtomic from 'write-file-atomic';
import { SbxError } from '../../../errors.ts';
import { type Home, type InstancePaths, instancePaths } from '../../../paths.ts';
import type { InstanceRecord, Records } from '../../../state/records.ts';
import type { VmDriver } from '../../../vm/driver.ts';
import type { SnapshotInfo, SnapshotRequest } from '../../engine.ts';

const DISK = 'disk.qcow2';
const CLONE = 'clone.json';
const ABOUT = 'snapshot.json';
/** Of one that is being made; no label has a dot */
const UNFINISHED = '.new';
const LABEL = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** The disk is an overlay: it is worth nothing on another image, and its record must say what is installed on it. */
interface About {
  version: 1;
  createdAt: string;
  image: string;
  packages: unknown;
}

type Deps = { home: Home; records: Records; driver: VmDriver };

/** @throws SbxError `busy` while it runs, `usage`, `not-found`. Cut off anywhere, the disk and each snapshot are whole. */
export async function snapshots(
  deps: Deps,
  id: string,
  { action, label = '' }: SnapshotRequest,
): Promise<SnapshotInfo[]> {
  const record = deps.records.require(id);
  const paths = instancePaths(deps.home, id);
  dropUnfinished(paths);
  if (action === 'create') await create(deps, { record, paths, label });
  else if (action === 'restore') await restore(deps, { record, paths, label });
  else if (action === 'rm') rmSync(required({ record, paths, label }), { recursive: true });
  return list(paths, record);
}

/** What a killed daemon left. */
export function dropUnfinished({ snapshots: dir, disk }: InstancePaths): void {
  rmSync(join(dir, UNFINISHED), { recursive: true, force: true });
  rmSync(`${disk}${UNFINISHED}`, { force: true });
}

interface Named {
  record: InstanceRecord;
  paths: InstancePaths;
  label: string;
}

async function create(deps: Deps, named: Named): Promise<void> {
  const { record, paths, label } = named;
  const { image, applied, name } = record;
  refuseRunning(deps, named);
  if (!LABEL.test(label))
    throw new SbxError('usage', `invalid label: ${label}`, {
      why: 'a label has 1–40 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen',
      hint: 'choose another one, such as "before-upgrade"',
    });
  if (existsSync(join(paths.snapshots, label)))
    throw new SbxError('usage', `${name} has a snapshot ${label} already`, {
      hint: `choose another label, or remove it: \`sbx snapshot rm ${label}\``,
    });
  if (image === null || applied === null || !existsSync(paths.disk))
    throw new SbxError('not-found', `${name} has no disk`, { hint: 'run `sbx apply` first' });
  const dir = join(paths.snapshots, UNFINISHED);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await copy(paths.disk, join(dir, DISK));
  if (existsSync(paths.clone)) await copy(paths.clone, join(dir, CLONE));
  const about: About = {
    version: 1,
    createdAt: new Date().toISOString(),
    image: image.key,
    packages: applied.packages,
  };
  await writeFileAtomic(join(dir, ABOUT), JSON.stringify(about), { mode: 0o600 });
  renameSync(dir, join(paths.snapshots, label));
}

async function restore(deps: Deps, named: Named): Promise<void> {
  const { record, paths, label } = named;
  refuseRunning(deps, named);
  const dir = required(named);
  if (!fits(readAbout(dir), record))
    throw new SbxError('usage', `the snapshot ${label} does not fit ${record.name} any more`, {
      why: 'it was made on another image, or before other packages were installed: an overlay disk has only the differences',
      hint: 'undo the change of [image], [packages] or the agent in sandbox.toml and run `sbx apply`, or remove the snapshot',
    });
  await copy(join(dir, DISK), `${paths.disk}${UNFINISHED}`);
  if (existsSync(join(dir, CLONE))) await copy(join(dir, CLONE), paths.clone);
  await rename(`${paths.disk}${UNFINISHED}`, paths.disk);
}

/** Its folder. @throws SbxError `not-found` */
function required({ record, paths, label }: Named): string {
  const known = list(paths, record).map((one) => one.label);
  if (known.includes(label)) return join(paths.snapshots, label);
  throw new SbxError('not-found', `${record.name} has no snapshot ${label}`, {
    why: known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`,
    hint: 'see `sbx snapshot ls`',
  });
}

/** A VM that crashed is started again at any time, unless the sandbox is off. */
function refuseRunning({ driver }: Deps, { record, paths }: Named): void {
  if (driver.find(paths) === undefined && record.desired.power === 'off') return;
  throw new SbxError('busy', `${record.name} is not stopped`, {
    why: 'its disk changes while it runs',
    hint: `run \`sbx stop ${record.name}\` first`,
  });
}

function list({ snapshots: dir }: InstancePaths, record: InstanceRecord): SnapshotInfo[] {
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => LABEL.test(name)) : [];
  return names.toSorted().flatMap((label) => {
    const about = readAbout(join(dir, label));
    if (about === undefined) return [];
    const bytes = statSync(join(dir, label, DISK)).blocks * 512;
    return [{ label, createdAt: about.createdAt, bytes, fits: fits(about, record) }];
  });
}

function fits(about: About | undefined, { image, applied }: InstanceRecord): boolean {
  return about?.image === image?.key && isDeepStrictEqual(about?.packages, applied?.packages);
}

function readAbout(dir: string): About | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, ABOUT), 'utf8')) as About;
  } catch {
    return undefined;
  }
}

/** On the disk when it resolves. Shares its blocks where the file system can. */
async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const handle = await open(to, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
