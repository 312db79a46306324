/** Rules added with `sbx net allow` and `sbx net deny`, for a time or until they are revoked: a file in the instance's folder. */
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
  /** Undefined: until it is revoked, or the sandbox is removed */
  until?: string;
}

/** The rules beyond the spec, each list in the order of the commands. */
export interface LiveRules {
  grants: Grant[];
  /** Deny rules: they win over grants and over the spec */
  denials: Grant[];
}

/** The rules in force. A damaged file grants nothing. */
export function readLive(home: Home, id: string, now = Date.now()): LiveRules {
  const holds = ({ until }: Grant) => until === undefined || Date.parse(until) > now;
  const { grants, denials } = readAll(home, id);
  return { grants: grants.filter(holds), denials: denials.filter(holds) };
}

/** Removes expired rules, and replaces those of the same patterns in their list. */
export function addLive(home: Home, id: string, added: Partial<LiveRules>): LiveRules {
  const live = readLive(home, id);
  return write(home, id, {
    grants: replaced(live.grants, added.grants ?? []),
    denials: replaced(live.denials, added.denials ?? []),
  });
}

function replaced(rules: Grant[], added: Grant[]): Grant[] {
  const patterns = new Set(added.map(({ pattern }) => pattern));
  return [...rules.filter(({ pattern }) => !patterns.has(pattern)), ...added];
}

/** Removes the rules that the user wrote as one of `texts`. @returns those that were in force */
export function removeLive(home: Home, id: string, texts: readonly string[]): LiveRules {
  const live = readLive(home, id);
  const isOne = ({ text, pattern }: Grant) => texts.includes(text) || texts.includes(pattern);
  write(home, id, {
    grants: live.grants.filter((rule) => !isOne(rule)),
    denials: live.denials.filter((rule) => !isOne(rule)),
  });
  return { grants: live.grants.filter(isOne), denials: live.denials.filter(isOne) };
}

/** Two lists: a version of sbx that knows no denials MUST NOT take one for a grant. */
function write(home: Home, id: string, { grants, denials }: LiveRules): LiveRules {
  const text = JSON.stringify({ version: 1, grants, denials });
  writeFileAtomic.sync(instancePaths(home, id).grants, text, { mode: 0o600 });
  return { grants, denials };
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

/** The policy of the spec with the rules of the command line added: what the egress proxy serves. */
export function livePolicy(spec: SandboxSpec, { grants, denials }: LiveRules): PolicyInput {
  const policy = policyOf(spec);
  return {
    ...policy,
    allow: [...policy.allow, ...grants.map((rule) => ruleOf(rule, 'allow'))],
    deny: [...policy.deny, ...denials.map((rule) => ruleOf(rule, 'deny'))],
  };
}

function ruleOf({ pattern, text, trusted, until }: Grant, command: 'allow' | 'deny'): PolicyRule {
  const said = `${text} (sbx net ${command}${until === undefined ? '' : `, until ${until}`})`;
  return { pattern, trusted, text: said, revoke: text, ...(until === undefined ? {} : { until: Date.parse(until) }) };
}

function readAll(home: Home, id: string): LiveRules {
  try {
    const value = JSON.parse(readFileSync(instancePaths(home, id).grants, 'utf8')) as {
      version: number;
      grants: Grant[];
      denials?: Grant[];
    };
    if (value.version !== 1 || !Array.isArray(value.grants)) return { grants: [], denials: [] };
    return { grants: value.grants, denials: Array.isArray(value.denials) ? value.denials : [] };
  } catch {
    return { grants: [], denials: [] };
  }
}
