/** Tells the distribution of a base, and the one that provides the kernel. */
import { readFile } from 'node:fs/promises';
import { SbxError } from '../../errors.ts';

export interface Distribution {
  distribution: 'debian' | 'ubuntu';
  suite: string;
}

/** Undefined for a tar. */
export function distributionOf(base: string): Distribution | undefined {
  const match = /^(debian|ubuntu):([a-z]+)$/.exec(base);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { distribution: match[1] as 'debian' | 'ubuntu', suite: match[2] };
}

/** For a tar, which has no kernel: the host's own distribution provides it. */
export async function hostDistribution(): Promise<Distribution> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const id = /^ID="?(\w+)"?/m.exec(text)?.[1];
  const suite = /^VERSION_CODENAME="?(\w+)"?/m.exec(text)?.[1];
  if ((id === 'debian' || id === 'ubuntu') && suite !== undefined) return { distribution: id, suite };
  throw new SbxError('image-source', 'no guest kernel available for this host', {
    why: `the host is ${id ?? 'unknown'}, not Debian or Ubuntu`,
  });
}
