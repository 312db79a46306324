/** Resolves `[image] base`; a path becomes absolute. */
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fromFile } from './folders.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

const DISTRIBUTIONS = ['debian', 'ubuntu'];
const FALLBACK = 'debian:bookworm';

export async function baseOf(input: SandboxInput): Promise<string> {
  const { config, sources, host } = input;
  const base = config.image?.base;
  if (base === undefined)
    return DISTRIBUTIONS.includes(host.os.id) && /^[a-z]+$/.test(host.os.codename)
      ? `${host.os.id}:${host.os.codename}`
      : FALLBACK;
  if (/^(debian|ubuntu):[a-z]+$/.test(base) || /^oci:\S+$/.test(base)) return base;
  const source = sources['image.base'];
  if (!isAbsolute(base) && (base.includes(':') || !/\/|\.tar(\.\w+)?$/.test(base)))
    throw problem(source, `image.base: unknown kind of image "${base}"`, {
      hint: `write "debian:<suite>" or "ubuntu:<suite>" (the suite's code name, such as "${FALLBACK}"), "oci:<reference>", or the path of a tar`,
    });
  const path = fromFile(base, source, input);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path;
  throw problem(source, `image.base: ${base} is not a file`, {
    why: `${path} ${found === undefined ? 'does not exist' : 'is not a regular file'}`,
    hint: 'use the path of a root-filesystem tar, or "debian:<suite>"',
  });
}
