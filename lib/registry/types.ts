/** Shapes of the OCI image specification, as far as they are used; checked by zod when they are read. */
import { z } from 'zod';

const DIGEST = /^sha256:[0-9a-f]{64}$/;

const descriptor = z.object({
  mediaType: z.string().max(255),
  digest: z.string().regex(DIGEST),
  /** Bytes */
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});

export type Descriptor = z.infer<typeof descriptor>;

export const imageManifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor).max(256),
  annotations: z.record(z.string(), z.string()).optional(),
});

export type ImageManifest = z.infer<typeof imageManifest>;

export const imageIndex = z.object({
  schemaVersion: z.literal(2),
  manifests: z
    .array(
      descriptor.extend({
        platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
      }),
    )
    .max(1_000),
});

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

export const ACCEPTED = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(', ');
export const INDEXES: ReadonlySet<string> = new Set([INDEX, DOCKER_LIST]);
