/** Rules added with `sbx net allow` and `sbx net deny`, for a time or until they are revoked: a file in the instance's folder. */
import { readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
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

/** The rules in force. @throws SbxError `gateway` for a file that cannot be read: without its denials too much would be allowed. */
export function readLive(home: Home, id: string): LiveRules {
  const now = Date.now();
  const holds = ({ until }: Grant) => until === undefined || Date.parse(until) > now;
  const { grants, denials } = readAll(home, id);
  return { grants: grants.filter(holds), denials: denials.filter(holds) };
}

/** Removes expired rules, and replaces those of the same entries in their list. */
export function addLive(home: Home, id: string, added: Partial<LiveRules>): LiveRules {
  const live = readLive(home, id);
  return write(home, id, {
    grants: replaced(live.grants, added.grants ?? [], ({ pattern }) => pattern),
    // One of another entry stays: it holds on when that one ends or is revoked.
    denials: replaced(live.denials, added.denials ?? [], ({ pattern, text }) => `${pattern} ${text}`),
  });
}

function replaced(rules: Grant[], added: Grant[], keyOf: (rule: Grant) => string): Grant[] {
  const keys = new Set(added.map(keyOf));
  return [...rules.filter((rule) => !keys.has(keyOf(rule))), ...added];
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
  const file = instancePaths(home, id).grants;
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { version: number; grants: Grant[]; denials?: Grant[] };
    const { version, grants, denials = [] } = value;
    if (version !== 1 || !Array.isArray(grants) || !Array.isArray(denials)) throw new Error('it has another form');
    return { grants, denials };
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return { grants: [], denials: [] };
    throw new SbxError('gateway', 'the rules of `sbx net allow` and `sbx net deny` cannot be read', {
      why: `${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'correct or remove this file: the rules in it are gone then',
      cause,
    });
  }
}

/** For what only shows or compares them. Undefined: they cannot be read. */
export function knownLive(home: Home, id: string): LiveRules | undefined {
  try {
    return readLive(home, id);
  } catch (error) {
    if (error instanceof SbxError && error.code === 'gateway') return undefined;
    throw error;
  }
}
