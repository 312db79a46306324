/** Builds the bottom layer of a chain from a distribution or from the user's tar. */
import { rm } from 'node:fs/promises';
import { errnoOf, SbxError } from '../../errors.ts';
import { parseReference } from '../../registry/reference.ts';
import { pullImage } from '../oci/pull-image.ts';
import { ensureLayer } from '../store/ensure-layer.ts';
import { hashFile } from '../store/hash-file.ts';
import type { ImageBuild } from '../store/image-build.ts';
import type { Layer } from '../store/store.ts';
import { aptSourcesFor } from './apt-sources.ts';
import { BASE_DISK_BYTES, BASE_PACKAGES, fillDistributionBase, fillTarBase } from './base.ts';
import { distributionOf } from './distribution.ts';

/** Raised when the same layers give another tar */
const MERGE_FORMAT = 1;

export async function ensureBase(build: ImageBuild): Promise<Layer> {
  const { base } = build.request;
  const source = distributionOf(base);
  const layer = { kind: 'base', parents: [], description: base };
  if (isOci(base)) return ensureOciBase(build, base.slice(OCI.length));
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

const OCI = 'oci:';

export function isOci(base: string): boolean {
  return base.startsWith(OCI);
}

/** The same content under another name or tag is the same layer. */
async function ensureOciBase(build: ImageBuild, reference: string): Promise<Layer> {
  const { deps, events } = build;
  return ensureLayer(build, {
    kind: 'base',
    parents: [],
    description: `${OCI}${reference}`,
    recipe: { oci: digestIn(reference), MERGE_FORMAT, BASE_DISK_BYTES },
    fill: async (dir, options) => {
      const { node } = await deps.runtimeParts();
      const { registry, merge: script } = deps;
      const { onProgress } = events;
      const { signal } = options;
      const tar = await pullImage({
        registry,
        reference,
        dir,
        node,
        script,
        maxBytes: BASE_DISK_BYTES,
        onProgress,
        signal,
      });
      await fillTarBase(dir, tar, options);
      await rm(tar);
    },
  });
}

function digestIn(reference: string): string {
  const { digest } = parseReference(reference);
  if (digest !== undefined) return digest;
  throw new SbxError('image-source', `the image ${reference} was not resolved`, { hint: 'run `sbx apply` again' });
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
