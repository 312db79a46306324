/** Downloads the layers of an image and merges them into one tar. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Descriptor } from '../../registry/types.ts';
import { mergeInJail } from './merge-jail.ts';

export interface ImagePull {
  registry: Registry;
  /** With a digest */
  reference: string;
  /** Everything is written here */
  dir: string;
  node: string;
  script: string;
  /** Bytes of the unpacked image, and of all that is downloaded */
  maxBytes: number;
  onProgress: (message: string) => void;
  signal: AbortSignal | undefined;
}

const LAYERS_MAX = 127;
const PROGRESS_MS = 2_000;

/** @returns the path of the tar. @throws SbxError `registry`, `image-source` */
export async function pullImage(pull: ImagePull): Promise<string> {
  const { registry, reference, dir, signal, maxBytes } = pull;
  const { manifest } = await registry.manifest(reference, { signal });
  const layers = manifest.layers.map((layer, index) => ({
    ...layer,
    name: `layer-${index}`,
    compression: kindOf(layer),
  }));
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  if (layers.length > LAYERS_MAX || size > maxBytes)
    throw new SbxError('image-source', `the image ${reference} is too large`, {
      why: `it has ${layers.length} layers of ${size} bytes; at most ${LAYERS_MAX} and ${maxBytes} are used`,
    });
  const blobs = join(dir, 'blobs');
  await mkdir(blobs, { mode: 0o700 });
  let before = 0;
  for (const layer of layers) {
    const report = progress(pull, { before, size });
    await registry.downloadBlob(reference, layer, join(blobs, layer.name), { signal, onBytes: report });
    before += layer.size;
  }
  pull.onProgress(`merging ${layers.length} layers`);
  const target = join(dir, 'merged.tar');
  await mergeInJail({ blobs, layers, target, node: pull.node, script: pull.script, maxBytes, signal });
  await rm(blobs, { recursive: true });
  return target;
}

function kindOf({ mediaType, digest }: Descriptor): 'gzip' | 'zstd' | 'none' {
  if (/[.+]tar\+?\.?gzip$/.test(mediaType)) return 'gzip';
  if (/\.tar\+zstd$/.test(mediaType)) return 'zstd';
  if (/\.tar$/.test(mediaType)) return 'none';
  throw new SbxError('image-source', 'the image is none of a container', {
    why: `its layer ${digest.slice(0, 19)} is of the type ${mediaType.slice(0, 100)}`,
    hint: 'an artifact or an encrypted image is no base',
  });
}

/** At most one line each two seconds */
function progress({ onProgress }: ImagePull, { before, size }: { before: number; size: number }) {
  let next = Date.now() + PROGRESS_MS;
  return (bytes: number) => {
    if (Date.now() < next) return;
    next = Date.now() + PROGRESS_MS;
    onProgress(
      `downloading the image: ${Math.floor((100 * (before + bytes)) / size)} % of ${Math.ceil(size / 1024 ** 2)} MiB`,
    );
  };
}
