/** Selects among secrets of the same name by scope. Pure. */
import { createHash } from 'node:crypto';
import type { SandboxRef, SecretInfo, SecretScope } from './types.ts';

/** The one with the narrowest scope that covers the sandbox. */
export function narrowest(secrets: readonly SecretInfo[], name: string, sandbox: SandboxRef): SecretInfo | undefined {
  return secrets
    .filter((one) => one.name === name && covers(one.scope, sandbox))
    .toSorted((a, b) => WIDTH[a.scope.kind] - WIDTH[b.scope.kind])[0];
}

const WIDTH = { sandbox: 0, project: 1, all: 2 };

function covers(scope: SecretScope, { dir, name }: SandboxRef): boolean {
  if (scope.kind === 'all') return true;
  return scope.dir === dir && (scope.kind === 'project' || scope.name === name);
}

/** Key of the value of a name and scope in a store. */
export function keyOf(name: string, scope: SecretScope): string {
  if (scope.kind === 'all') return `${name}@all`;
  const place = scope.kind === 'project' ? scope.dir : `${scope.dir}\0${scope.name}`;
  return `${name}@${scope.kind}:${createHash('sha256').update(place).digest('hex').slice(0, 16)}`;
}
