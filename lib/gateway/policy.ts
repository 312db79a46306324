/** The verdict on a request: pure, the same code for the proxy and for `sbx net check`. Deny wins; order never matters. */
import { createHash } from 'node:crypto';
import { SbxError } from '../errors.ts';
import { refusedAddress } from './addresses.ts';
import type { Endpoint } from './host.ts';
import { coversAddress, coversName, type Pattern, parsePattern } from './pattern.ts';
import type { PolicyInput, PolicyRule } from './types.ts';

interface Rule {
  rule: PolicyRule;
  pattern: Pattern;
}

export interface Policy {
  allow: Rule[];
  deny: Rule[];
  /** Equal policies have equal hashes */
  hash: string;
}

export type Reason = 'rule' | 'default-deny' | 'deny-rule' | 'private-address' | 'not-supported';

export interface Verdict {
  allow: boolean;
  reason: Reason;
  /** Sentence for people */
  detail: string;
  rule?: PolicyRule;
}

/** @throws SbxError `gateway`: a pattern is malformed. The caller must then deny everything or keep the last policy. */
export function compilePolicy(input: PolicyInput): Policy {
  if ((input.http ?? []).length > 0)
    throw new SbxError('gateway', 'rules by method and path are not supported yet', {
      hint: 'remove [[network.http]]',
    });
  return { allow: input.allow.map(compileRule), deny: input.deny.map(compileRule), hash: policyHash(input) };
}

export function policyHash(input: PolicyInput): string {
  const lines = (rules: PolicyRule[]) => rules.map((rule) => `${rule.pattern} ${rule.trusted === true}`).toSorted();
  return createHash('sha256')
    .update(JSON.stringify([lines(input.allow), lines(input.deny)]))
    .digest('hex')
    .slice(0, 16);
}

function compileRule(rule: PolicyRule): Rule {
  const pattern = parsePattern(rule.pattern);
  if (pattern === undefined) throw new SbxError('gateway', `not a network pattern: ${rule.pattern}`);
  return { rule, pattern };
}

/** Decided by name, before anything is resolved. */
export function decide(policy: Policy, { host, port, literal }: Endpoint): Verdict {
  const covers = ({ pattern }: Rule) =>
    literal ? coversAddress(pattern, host, port) : coversName(pattern, host, port);
  const denied = policy.deny.find(covers);
  if (denied !== undefined)
    return {
      allow: false,
      reason: 'deny-rule',
      detail: `denied by the rule ${textOf(denied.rule)}`,
      rule: denied.rule,
    };
  const allowed = policy.allow.filter(covers);
  // A rule of the host's own configuration may lead to a private address, so it is preferred among those that cover.
  const chosen = allowed.find(({ rule }) => rule.trusted === true) ?? allowed[0];
  if (chosen === undefined) return { allow: false, reason: 'default-deny', detail: 'no allow rule covers it' };
  return { allow: true, reason: 'rule', detail: `allowed by the rule ${textOf(chosen.rule)}`, rule: chosen.rule };
}

/** Decided again by address, for each one that the name led to. `own`: addresses of this host. */
export function decideAddress(
  policy: Policy,
  verdict: Verdict,
  address: string,
  port: number,
  own: readonly string[],
): Verdict {
  const denied = policy.deny.find(({ pattern }) => coversAddress(pattern, address, port));
  if (denied !== undefined)
    return {
      allow: false,
      reason: 'deny-rule',
      detail: `its address ${address} is denied by the rule ${textOf(denied.rule)}`,
      rule: denied.rule,
    };
  if (verdict.rule?.trusted === true) return verdict;
  const refused = refusedAddress(address, own);
  if (refused === undefined) return verdict;
  if (policy.allow.some(({ pattern }) => coversAddress(pattern, address, port))) return verdict;
  return {
    allow: false,
    reason: 'private-address',
    detail: `its address ${address} is ${refused}`,
    ...(verdict.rule === undefined ? {} : { rule: verdict.rule }),
  };
}

function textOf(rule: PolicyRule): string {
  const place = rule.file === undefined ? '' : ` (${rule.file}:${rule.line ?? 1})`;
  return `${rule.text ?? rule.pattern}${place}`;
}
