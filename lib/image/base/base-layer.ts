/** Builds the bottom layer of a chain from a distribution or from the user's tar. */
import { errnoOf, SbxError } from '../../errors.ts';
import { ensureLayer } from '../store/ensure-layer.ts';
import { hashFile } from '../store/hash-file.ts';
import type { ImageBuild } from '../store/image-build.ts';
import type { Layer } from '../store/store.ts';
import { aptSourcesFor } from './apt-sources.ts';
import { BASE_DISK_BYTES, BASE_PACKAGES, fillDistributionBase, fillTarBase } from './base.ts';
import { distributionOf } from './distribution.ts';

export async function ensureBase(build: ImageBuild): Promise<Layer> {
  const { base } = build.request;
  const source = distributionOf(base);
  const layer = { kind: 'base', parents: [], description: base };
  if (source === undefined)
    return ensureLayer(build, {
      ...layer,
      recipe: { tar: await hashOfTar(base), BASE_DISK_BYTES },
      fill: (dir, options) => fillTarBase(dir, base, options),
    });
  const sources = await aptSourcesFor(source.distribution, source.suite);
  return ensureLayer(build, {
    ...layer,
    recipe: { source, sources, BASE_PACKAGES, BASE_DISK_BYTES },
    fill: (dir, options) => fillDistributionBase(dir, { suite: source.suite, sources }, options),
  });
}

async function hashOfTar(path: string): Promise<string> {
  try {
    return await hashFile(path);
  } catch (error) {
    throw new SbxError('image-source', `the root file system ${path} cannot be read`, {
      why: errnoOf(error) ?? 'unknown',
      hint: 'check [image] base',
      cause: error,
    });
  }
}
