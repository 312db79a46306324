/**
 * The client of OCI registries (distribution specification 1.1), the only file of this folder that others import, beside `reference.ts`
 * and `types.ts`. Every byte that it returns was verified by its digest; credentials stay in this process.
 */
import { SbxError } from '../errors.ts';
import { bodyOf, refusal } from './answers.ts';
import { type Access, createAuthorized } from './authorize.ts';
import { downloadBlob } from './blobs.ts';
import { type Endpoint, endpointsOf, type RegistryConfig, readRegistryConfig } from './endpoints.ts';
import { hostLogins, type LoginSources } from './login.ts';
import { digestOf, type Platform, platformManifest } from './manifests.ts';
import { type Content, pushBlob, pushManifest } from './push.ts';
import { parseReference } from './reference.ts';
import { createTransport, registryUrl, type TransportOptions } from './transport.ts';
import { type Descriptor, type ImageManifest, MANIFEST } from './types.ts';

interface PulledManifest {
  /** `sha256:…` of the manifest itself, not of an index that named it */
  digest: string;
  mediaType: string;
  manifest: ImageManifest;
}

interface CallOptions {
  signal?: AbortSignal | undefined;
}

interface DownloadOptions extends CallOptions {
  /** Bytes of this blob that are there */
  onBytes?: (bytes: number) => void;
}

/** `reference` everywhere: `[registry/]repository[:tag][@digest]`. All methods throw SbxError `registry`, or the signal's reason. */
export interface Registry {
  /** The manifest that the reference names; of an index, that of the platform (default: linux on this host's processor) */
  manifest(reference: string, options?: CallOptions & { platform?: Platform }): Promise<PulledManifest>;
  /** At most 10,000 tags, sorted */
  tags(reference: string, options?: CallOptions): Promise<string[]>;
  /** A small blob in memory. `max`: bytes */
  readBlob(
    reference: string,
    blob: Pick<Descriptor, 'digest' | 'size'>,
    max: number,
    options?: CallOptions,
  ): Promise<Buffer>;
  /** Into a file, which continues what an earlier call left there. A file with wrong content is removed */
  downloadBlob(
    reference: string,
    blob: Pick<Descriptor, 'digest' | 'size'>,
    target: string,
    options?: DownloadOptions,
  ): Promise<void>;
  /** To the registry itself, never to a mirror; blobs first. `digest` of each content is checked by the registry */
  push(reference: string, image: PushedImage, options?: CallOptions): Promise<{ digest: string }>;
}

export interface PushedImage {
  /** Written as JSON */
  manifest: ImageManifest;
  /** Of the config and of each layer */
  contents: ReadonlyMap<string, Content>;
}

export interface RegistryOptions extends LoginSources, TransportOptions {
  /** Default: read from the host for each call */
  config?: RegistryConfig;
}

const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const HERE: Platform = { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
const TAGS_MAX = 10_000;
const TAGS_BYTES_MAX = 4 * 1024 * 1024;
const RETRY_MS = 500;

export function openRegistry(options: RegistryOptions): Registry {
  const transport = createAuthorized(createTransport(options), hostLogins(options));
  const configured = async () => options.config ?? (await readRegistryConfig(options.env));
  const { retryMs = RETRY_MS } = options;

  return {
    async manifest(text, { platform = HERE, signal } = {}) {
      const reference = parseReference(text);
      const wanted = reference.digest ?? reference.tag ?? 'latest';
      const { digest, mediaType, manifest } = await eachOf(endpointsOf(reference, await configured()), (endpoint) =>
        platformManifest(transport, { access: pull(endpoint), reference: wanted, platform, signal }),
      );
      return { digest, mediaType, manifest };
    },
    async tags(text, { signal } = {}) {
      const reference = parseReference(text);
      return eachOf(endpointsOf(reference, await configured()), (endpoint) =>
        tagsOf(transport, pull(endpoint), signal),
      );
    },
    async readBlob(text, blob, max, { signal } = {}) {
      if (blob.size > max) throw tooLarge(blob, max);
      return eachOf(endpointsOf(parseReference(text), await configured()), async (endpoint) => {
        const access = pull(endpoint);
        const url = registryUrl(access.host, `/v2/${access.repository}/blobs/${blob.digest}`);
        const answer = await transport(access, { method: 'GET', url, headers: IDENTITY, signal });
        if (answer.status !== 200) throw await refusal(answer, `get ${blob.digest.slice(0, 19)}`);
        const bytes = await bodyOf(answer, blob.size);
        if (digestOf(bytes) === blob.digest) return bytes;
        throw new SbxError('registry', `${access.host} gave wrong content for ${blob.digest}`);
      });
    },
    async downloadBlob(text, blob, target, { signal, onBytes } = {}) {
      await eachOf(endpointsOf(parseReference(text), await configured()), (endpoint) =>
        downloadBlob(transport, { access: pull(endpoint), blob, target, onBytes, retryMs, signal }),
      );
    },
    async push(text, { manifest, contents }, { signal } = {}) {
      const reference = parseReference(text);
      const endpoint = endpointsOf(reference, await configured()).at(-1) as Endpoint;
      const access: Access = { ...endpoint, actions: 'pull,push' };
      for (const blob of [manifest.config, ...manifest.layers]) {
        const content = contents.get(blob.digest);
        if (content === undefined) throw new SbxError('registry', `no content for ${blob.digest}`);
        await pushBlob(transport, { access, blob, content, signal });
      }
      const bytes = Buffer.from(JSON.stringify(manifest));
      const mediaType = manifest.mediaType ?? MANIFEST;
      const tag = reference.tag ?? digestOf(bytes);
      return { digest: await pushManifest(transport, { access, reference: tag, mediaType, bytes, signal }) };
    },
  };
}

const IDENTITY = { 'accept-encoding': 'identity' };

function pull(endpoint: Endpoint): Access {
  return { ...endpoint, actions: 'pull' };
}

/** The first that answers. The error is that of the last one, the registry itself. */
async function eachOf<T>(endpoints: Endpoint[], ask: (endpoint: Endpoint) => Promise<T>): Promise<T> {
  for (const [index, endpoint] of endpoints.entries()) {
    try {
      return await ask(endpoint);
    } catch (error) {
      if (!(error instanceof SbxError) || error.code !== 'registry' || index === endpoints.length - 1) throw error;
    }
  }
  throw new SbxError('registry', 'no registry is configured for this image');
}

/** Page by page. A page that names no new tag ends it. */
async function tagsOf(
  transport: ReturnType<typeof createAuthorized>,
  access: Access,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const found = new Set<string>();
  for (let last: string | undefined; ; ) {
    const url = registryUrl(access.host, `/v2/${access.repository}/tags/list`);
    url.searchParams.set('n', '1000');
    if (last !== undefined) url.searchParams.set('last', last);
    const answer = await transport(access, { method: 'GET', url, headers: {}, signal });
    if (answer.status !== 200) throw await refusal(answer, `list the tags of ${access.repository}`);
    const before = found.size;
    for (const tag of tagsIn(await bodyOf(answer, TAGS_BYTES_MAX))) found.add(tag);
    last = nextIn(answer.headers['link'], url);
    if (last === undefined || found.size === before || found.size >= TAGS_MAX)
      return [...found].slice(0, TAGS_MAX).toSorted();
  }
}

/** The `last` of the next page. Its host and path are not used. */
function nextIn(link: string | string[] | undefined, from: URL): string | undefined {
  const next = /<([^<>]*)>\s*;\s*rel="?next"?/.exec(String(link ?? ''))?.[1];
  if (next === undefined || !URL.canParse(next, from.href)) return undefined;
  return new URL(next, from).searchParams.get('last') ?? undefined;
}

function tagsIn(body: Buffer): string[] {
  try {
    const { tags } = JSON.parse(body.toString()) as { tags?: unknown };
    if (Array.isArray(tags)) return tags.filter((tag) => typeof tag === 'string' && /^\w[\w.-]{0,127}$/.test(tag));
  } catch {
    // The same as an answer without tags.
  }
  return [];
}

function tooLarge({ digest, size }: Pick<Descriptor, 'digest' | 'size'>, max: number): SbxError {
  return new SbxError('registry', `${digest.slice(0, 19)} is too large`, {
    why: `it has ${size} bytes; ${max} are allowed here`,
  });
}
