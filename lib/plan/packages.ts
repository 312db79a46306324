/** Decides which changes of `[packages]` can be made on the disk as it is: what is added can be installed, all else is a new disk. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { SandboxSpec } from '../spec/spec.ts';

type Packages = SandboxSpec['packages'];

/** What `to` has besides `from`. Lines of `setup` are those behind the ones that ran. */
export function addedPackages(from: Packages, to: Packages): Packages {
  const fresh = (kind: 'apt' | 'npm' | 'pip') => to[kind].filter((one) => !from[kind].includes(one));
  return { apt: fresh('apt'), npm: fresh('npm'), pip: fresh('pip'), setup: to.setup.slice(from.setup.length) };
}

/** Why a field of `[packages]` cannot be changed in the running sandbox. Undefined: it can, or it is another field. */
export function whyNewDisk(path: string, from: SandboxSpec, to: SandboxSpec): string | undefined {
  const kind = (['apt', 'npm', 'pip', 'setup'] as const).find((one) => path === `packages.${one}`);
  if (kind === undefined) return undefined;
  if (!isDeepStrictEqual(agentOf(from), agentOf(to))) return 'another agent is installed into a new disk';
  const [before, after] = [from.packages[kind], to.packages[kind]];
  if (kind !== 'setup')
    return before.every((one) => after.includes(one)) ? undefined : 'a package cannot be removed from the disk';
  if (before.every((line, index) => line === after[index])) return undefined;
  return 'lines of setup that ran cannot be taken back: only lines added at the end run in the sandbox as it is';
}

function agentOf({ agent: { name, template } }: SandboxSpec): unknown {
  return [name, template];
}
