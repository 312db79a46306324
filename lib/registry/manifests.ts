/** Reads manifests, verified by digest, and picks the one of a platform. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SbxError } from '../errors.ts';
import { bodyOf, refusal } from './answers.ts';
import type { Access, AuthorizedTransport } from './authorize.ts';
import { registryUrl } from './transport.ts';
import { ACCEPTED, type ImageManifest, INDEXES, imageIndex, imageManifest } from './types.ts';

export interface ReadManifest {
  /** Of `bytes`, computed here */
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

export interface Platform {
  os: string;
  architecture: string;
}

const MANIFEST_MAX = 4 * 1024 * 1024;
/** An index may name another one, once */
const DEPTH_MAX = 2;

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The manifest of the platform. `reference`: a tag or a digest. @throws SbxError `registry` */
export async function platformManifest(
  transport: AuthorizedTransport,
  { access, reference, platform, signal }: ManifestRequest & { platform: Platform },
): Promise<ReadManifest & { manifest: ImageManifest }> {
  let wanted = reference;
  for (let depth = 0; depth <= DEPTH_MAX; depth += 1) {
    const found = await readManifest(transport, { access, reference: wanted, signal });
    if (!INDEXES.has(found.mediaType)) return { ...found, manifest: parsed(found, imageManifest, access) };
    const { manifests } = parsed(found, imageIndex, access);
    const fits = manifests.find(
      (one) => one.platform?.os === platform.os && one.platform.architecture === platform.architecture,
    );
    if (fits === undefined) throw noPlatform(access, platform, manifests);
    wanted = fits.digest;
  }
  throw new SbxError('registry', `${access.host}/${access.repository}: its index names indexes only`);
}

export interface ManifestRequest {
  access: Access;
  /** A tag or a digest */
  reference: string;
  signal?: AbortSignal | undefined;
}

/** As it is stored. */
async function readManifest(
  transport: AuthorizedTransport,
  { access, reference, signal }: ManifestRequest,
): Promise<ReadManifest> {
  const url = registryUrl(access.host, `/v2/${access.repository}/manifests/${reference}`);
  const answer = await transport(access, { method: 'GET', url, headers: { accept: ACCEPTED }, signal });
  if (answer.status !== 200) throw await refusal(answer, `read ${access.repository}:${reference.slice(0, 19)}`);
  const bytes = await bodyOf(answer, MANIFEST_MAX);
  const digest = digestOf(bytes);
  if (reference.startsWith('sha256:') && digest !== reference)
    throw new SbxError('registry', `${access.host} gave wrong content for ${reference}`, {
      why: `its content has the digest ${digest}`,
      hint: 'the registry or a proxy on the way to it is damaged or manipulated: nothing of it is used',
    });
  return { digest, mediaType: typeOf(bytes, answer.headers['content-type']), bytes };
}

/** The content's own word first: the header is not covered by the digest. */
function typeOf(bytes: Buffer, header: string | string[] | undefined): string {
  const own = z.object({ mediaType: z.string() }).safeParse(jsonOf(bytes));
  return own.success ? own.data.mediaType : (String(header ?? '').split(';')[0] ?? '').trim();
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function parsed<T>({ bytes, mediaType }: ReadManifest, shape: z.ZodType<T>, { host, repository }: Access): T {
  const found = shape.safeParse(jsonOf(bytes));
  if (found.success) return found.data;
  throw new SbxError('registry', `${host}/${repository} has a manifest that cannot be read`, {
    why: `type ${mediaType.slice(0, 100)}: ${z.prettifyError(found.error).replaceAll('\n', ' ').slice(0, 300)}`,
    hint: 'images of schema version 1 are not supported: push the image again with a current tool',
  });
}

function noPlatform(
  { host, repository }: Access,
  { os, architecture }: Platform,
  found: z.infer<typeof imageIndex>['manifests'],
): SbxError {
  const names = found.flatMap(({ platform }) =>
    platform === undefined ? [] : [`${platform.os}/${platform.architecture}`],
  );
  return new SbxError('registry', `${host}/${repository} has no image for ${os}/${architecture}`, {
    why: `it has ${[...new Set(names)].slice(0, 20).join(', ') || 'none with a platform'}`,
    hint: 'use another image, or build this one for this platform',
  });
}
