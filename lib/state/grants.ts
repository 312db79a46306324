/** Allow entries added with `sbx net allow`, for a time or until the sandbox is removed: a file in the instance's folder. */
import { readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { SbxError } from '../errors.ts';
import { policyOf } from '../gateway/policy/spec-policy.ts';
import type { PolicyInput, PolicyRule } from '../gateway/policy/types.ts';
import { type Home, instancePaths } from '../paths.ts';
import type { SandboxSpec } from '../spec/spec.ts';

export interface Grant {
  /** What the gateway gets */
  pattern: string;
  /** As the user wrote it */
  text: string;
  /** Named by the host's own configuration (a preset) */
  trusted: boolean;
  addedAt: string;
  /** Undefined: as long as the sandbox exists */
  until?: string;
}

/** The grants in force. A damaged file grants nothing. */
export function readGrants(home: Home, id: string, now = Date.now()): Grant[] {
  return readAll(home, id).filter((grant) => grant.until === undefined || Date.parse(grant.until) > now);
}

/** Removes expired grants and replaces one of the same pattern. */
export function addGrants(home: Home, id: string, added: Grant[]): Grant[] {
  const patterns = new Set(added.map(({ pattern }) => pattern));
  const grants = [...readGrants(home, id).filter(({ pattern }) => !patterns.has(pattern)), ...added];
  writeFileAtomic.sync(instancePaths(home, id).grants, JSON.stringify({ version: 1, grants }), { mode: 0o600 });
  return grants;
}

/** @throws SbxError `usage` on a duration that is not positive or longer than a year. */
export function grantsOf(
  rules: Pick<Grant, 'pattern' | 'text' | 'trusted'>[],
  seconds?: number,
  now = Date.now(),
): Grant[] {
  if (seconds !== undefined && !(seconds > 0 && seconds <= SECONDS_MAX))
    throw new SbxError('usage', 'the time must be between a second and a year', {
      hint: 'write a duration such as "1h"',
    });
  const addedAt = new Date(now).toISOString();
  const until = seconds === undefined ? {} : { until: new Date(now + seconds * 1_000).toISOString() };
  return rules.map(({ pattern, text, trusted }) => ({ pattern, text, trusted, addedAt, ...until }));
}

const SECONDS_MAX = 366 * 86_400;

/** The policy of the spec with the grants added: what the egress proxy serves. */
export function livePolicy(spec: SandboxSpec, grants: readonly Grant[]): PolicyInput {
  const policy = policyOf(spec);
  return { ...policy, allow: [...policy.allow, ...grants.map(ruleOf)] };
}

function ruleOf({ pattern, text, trusted, until }: Grant): PolicyRule {
  const said = `${text} (sbx net allow${until === undefined ? '' : `, until ${until}`})`;
  return { pattern, trusted, text: said, ...(until === undefined ? {} : { until: Date.parse(until) }) };
}

function readAll(home: Home, id: string): Grant[] {
  try {
    const value = JSON.parse(readFileSync(instancePaths(home, id).grants, 'utf8')) as {
      version: number;
      grants: Grant[];
    };
    return value.version === 1 && Array.isArray(value.grants) ? value.grants : [];
  } catch {
    return [];
  }
}
