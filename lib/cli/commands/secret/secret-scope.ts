/** The scope of a secret, from the flags: all sandboxes, the project that --project names, or one sandbox. */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { projectDirOf } from '../../../api/resolve-sandbox.ts';
import { SbxError } from '../../../errors.ts';
import type { SecretScope } from '../../../secrets/types.ts';

export interface ScopeFlags {
  project?: string;
  sandbox?: string;
}

/** @throws SbxError `usage`: no project was found. */
export async function scopeOf({ project, sandbox }: ScopeFlags, cwd: string): Promise<SecretScope> {
  if (project === undefined && sandbox === undefined) return { kind: 'all' };
  const from = await realpath(cwd).catch(() => undefined);
  const dir = from === undefined ? undefined : projectDirOf(from, [], (one) => existsSync(join(one, 'sandbox.toml')));
  if (dir === undefined)
    throw new SbxError('usage', 'no project found for the scope of the secret', {
      why: `neither ${cwd} nor a folder above it has a sandbox.toml`,
      hint: 'name its folder with --project, or remove --sandbox for a secret of all sandboxes',
    });
  return sandbox === undefined ? { kind: 'project', dir } : { kind: 'sandbox', dir, name: sandbox };
}

export function scopeText(scope: SecretScope): string {
  if (scope.kind === 'all') return 'all';
  return scope.kind === 'project' ? `project ${scope.dir}` : `sandbox ${scope.name} of ${scope.dir}`;
}
