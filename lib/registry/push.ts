/** Pushes blobs and manifests. A blob that the registry has is not sent again. */
import { createReadStream } from 'node:fs';
import { SbxError } from '../errors.ts';
import { refusal } from './answers.ts';
import type { Access, AuthorizedTransport } from './authorize.ts';
import { digestOf } from './manifests.ts';
import { locationOf, registryUrl } from './transport.ts';
import type { Descriptor } from './types.ts';

/** Content in memory, or the path of a file. */
export type Content = Buffer | { path: string };

export interface BlobPush {
  access: Access;
  blob: Pick<Descriptor, 'digest' | 'size'>;
  content: Content;
  signal?: AbortSignal | undefined;
}

/** In one piece. @returns false if it was there already. @throws SbxError `registry` */
export async function pushBlob(
  transport: AuthorizedTransport,
  { access, blob, content, signal }: BlobPush,
): Promise<boolean> {
  const place = (path: string) => registryUrl(access.host, `/v2/${access.repository}/blobs/${path}`);
  const has = await transport(access, { method: 'HEAD', url: place(blob.digest), headers: {}, signal });
  await has.body.dump().catch(() => {});
  if (has.status === 200) return false;
  const begun = await transport(access, {
    method: 'POST',
    url: place('uploads/'),
    headers: { 'content-length': '0' },
    signal,
  });
  if (begun.status !== 202) throw await refusal(begun, `push to ${access.repository}`);
  await begun.body.dump().catch(() => {});
  const url = uploadUrl(begun.url, begun.headers['location'], blob.digest);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) };
  const body = () => (Buffer.isBuffer(content) ? content : createReadStream(content.path));
  const done = await transport(access, { method: 'PUT', url, headers, body, attempts: 1, signal });
  if (done.status !== 201) throw await refusal(done, `push to ${access.repository}`);
  await done.body.dump().catch(() => {});
  return true;
}

/** The token goes along, so the place must be the registry's own. */
function uploadUrl(from: URL, location: string | string[] | undefined, digest: string): URL {
  const url = locationOf(from, String(location ?? ''));
  if (url.origin !== from.origin)
    throw new SbxError('registry', `${from.host} names another host for the upload`, {
      why: `${url.host}: the credentials of ${from.host} are not sent there`,
    });
  url.searchParams.set('digest', digest);
  return url;
}

export interface ManifestPush {
  access: Access;
  /** A tag, or the digest of `bytes` */
  reference: string;
  mediaType: string;
  bytes: Buffer;
  signal?: AbortSignal | undefined;
}

/** @returns its digest. @throws SbxError `registry` */
export async function pushManifest(transport: AuthorizedTransport, push: ManifestPush): Promise<string> {
  const { access, reference, mediaType, bytes, signal } = push;
  const url = registryUrl(access.host, `/v2/${access.repository}/manifests/${reference}`);
  const headers = { 'content-type': mediaType };
  const answer = await transport(access, { method: 'PUT', url, headers, body: () => bytes, signal });
  if (answer.status !== 201) throw await refusal(answer, `push ${access.repository}:${reference.slice(0, 19)}`);
  await answer.body.dump().catch(() => {});
  return digestOf(bytes);
}
