/** The base layer: an installed system as one ext4 image, the bottom of every sandbox's disk. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { makeExt4 } from '../store/filesystem.ts';
import { mmdebstrap } from './mmdebstrap.ts';

export const BASE_FILES = { disk: 'root.ext4' } as const;

/** Smallest disk of a sandbox; a larger one is grown when its layers are made */
export const BASE_DISK_BYTES = 10 * 1024 ** 3;

/** What a coding agent expects of a machine, besides what the project declares */
export const BASE_PACKAGES = [
  'bash',
  'ca-certificates',
  'curl',
  'diffutils',
  'file',
  'findutils',
  'git',
  'iproute2',
  'less',
  'nano',
  'netbase',
  'openssh-client',
  'patch',
  'procps',
  'sudo',
  'unzip',
  'xz-utils',
];

export interface FillOptions {
  signal?: AbortSignal | undefined;
  onLine?: (line: string) => void;
}

/** A Debian or Ubuntu suite from the mirrors of `sources`. */
export async function fillDistributionBase(
  dir: string,
  source: { suite: string; sources: string[] },
  options: FillOptions = {},
): Promise<void> {
  const tar = join(dir, 'root.tar');
  await mmdebstrap({ ...source, variant: 'minbase', include: BASE_PACKAGES, target: tar }, options);
  await fillFromTar(dir, tar, options);
  await rm(tar);
}

/** A root-filesystem tar of the user's. */
export async function fillTarBase(dir: string, tar: string, options: FillOptions = {}): Promise<void> {
  const found = await stat(tar).catch(() => undefined);
  if (!found?.isFile())
    throw new SbxError('image-source', `${tar} is not a file`, {
      hint: 'name a tar of a root file system, or debian:<suite>, as [image] base',
    });
  await fillFromTar(dir, tar, options);
}

async function fillFromTar(dir: string, tar: string, options: FillOptions): Promise<void> {
  await makeExt4({
    tars: [tar],
    target: join(dir, BASE_FILES.disk),
    sizeBytes: BASE_DISK_BYTES,
    label: 'sbx-root',
    journal: true,
    signal: options.signal,
  });
}
