/** Removes what `[agent] keep` kept for sandboxes of projects that are gone. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Home, keptPaths } from '../../paths.ts';
import type { Collected, GarbageRules } from '../engine.ts';
import { type KeptOwner, listKept, removeKept } from './workspace/kept.ts';

/** It is work of an agent: only `all` frees it, and only what no `sbx apply` can find again. */
export function collectKept(
  home: Home,
  existing: ReadonlySet<string>,
  { all, dryRun }: Pick<GarbageRules, 'all' | 'dryRun'>,
): Collected {
  const found = listKept(home)
    .filter(({ id }) => !existing.has(id))
    .map(({ id, owner }) => ({
      item: { kind: 'kept', key: id, bytes: bytesIn(keptPaths(home, id).dir), reason: reasonOf(owner) },
      frees: all && !hasProject(owner),
    }));
  const freed = found.filter(({ frees }) => frees).map(({ item }) => item);
  if (!dryRun) for (const { key } of freed) removeKept(home, key);
  return { freed, kept: found.filter(({ frees }) => !frees).map(({ item }) => item) };
}

function hasProject(owner: KeptOwner | undefined): boolean {
  return owner !== undefined && existsSync(join(owner.projectDir, 'sandbox.toml'));
}

function reasonOf(owner: KeptOwner | undefined): string {
  if (owner === undefined) return '[agent] keep of an unknown sandbox: --all frees it';
  const { name, projectDir } = owner;
  return hasProject(owner)
    ? `[agent] keep of ${name}, which was removed: the next \`sbx apply\` in ${projectDir} has it again`
    : `[agent] keep of ${name}, whose project ${projectDir} is gone: --all frees it`;
}

/** A guest chose how deep it is: read by a program that can walk it. */
function bytesIn(dir: string): number {
  try {
    const text = execFileSync('du', ['-s', '--block-size=1', '--', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
    return Number.parseInt(text.toString(), 10);
  } catch {
    return 0;
  }
}
