/** Resolves a reference to the digest of an image and what the image says of its environment. */
import { z } from 'zod';
import { SbxError } from '../../errors.ts';
import { pinnedReference } from '../../registry/reference.ts';
import type { Registry } from '../../registry/registry.ts';
import type { OciImage } from '../../spec/spec.ts';

const CONFIG_MAX = 1024 * 1024;
const VARIABLES_MAX = 200;
const VALUE_MAX = 32 * 1024;

const imageConfig = z.object({
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      User: z.string().max(256).nullish(),
      WorkingDir: z.string().max(4096).nullish(),
    })
    .nullish(),
});

/** They belong to the user of a sandbox, not to that of the image */
const OWN: ReadonlySet<string> = new Set(['HOME', 'USER', 'LOGNAME', 'SHELL', 'HOSTNAME', 'PWD', 'TERM']);

/** @throws SbxError `registry`, `image-source` */
export async function resolveImage(registry: Registry, reference: string, signal?: AbortSignal): Promise<OciImage> {
  const { digest, manifest } = await registry.manifest(reference, { signal });
  const place = pinnedReference(reference, digest);
  const text = await registry.readBlob(place, manifest.config, CONFIG_MAX, { signal });
  const { Env, User, WorkingDir } = configIn(text, reference).config ?? {};
  return {
    digest,
    env: environmentIn(Env ?? []),
    ...(User ? { user: User } : {}),
    ...(WorkingDir ? { workdir: WorkingDir } : {}),
  };
}

function configIn(text: Buffer, reference: string): z.infer<typeof imageConfig> {
  try {
    return imageConfig.parse(JSON.parse(text.toString()));
  } catch (error) {
    throw new SbxError('image-source', `the configuration of the image ${reference} cannot be read`, {
      why: error instanceof z.ZodError ? z.prettifyError(error).slice(0, 300) : 'it is not JSON',
    });
  }
}

function environmentIn(lines: string[]): Record<string, string> {
  const found = lines.slice(0, VARIABLES_MAX).flatMap((line): [string, string][] => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]{0,255})=([^\0]*)$/s.exec(line) ?? [];
    return name === undefined || value === undefined || OWN.has(name) || value.length > VALUE_MAX
      ? []
      : [[name, value]];
  });
  return Object.fromEntries(found);
}
