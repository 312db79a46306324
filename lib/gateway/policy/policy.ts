/** The verdict on a request: pure, the same code for the proxy and for `sbx net check`. Deny wins; order never matters. */
import { createHash } from 'node:crypto';
import { SbxError } from '../../errors.ts';
import type { Endpoint } from '../address/canonical-host.ts';
import { type AddressDenial, addressDenial } from '../address/private-ranges.ts';
import {
  compileHttpRule,
  decideLine,
  type HttpRule,
  httpRulesFor,
  type RequestLine,
  textOfHttpRule,
} from './http-rules.ts';
import { coversAddress, coversName, endsOf, isSingle, type Pattern, parsePattern, touchesAddress } from './pattern.ts';
import type { PolicyInput, PolicyRule } from './types.ts';

interface Rule {
  rule: PolicyRule;
  pattern: Pattern;
}

export interface Policy {
  mode: 'enforce' | 'observe';
  /** Bytes a second each way */
  bandwidth?: number;
  allow: Rule[];
  deny: Rule[];
  http: HttpRule[];
  /** Equal policies have equal hashes */
  hash: string;
}

export type Reason =
  | 'rule'
  | 'default-deny'
  | 'deny-rule'
  | 'private-address'
  | 'odd-address'
  | 'not-tls'
  | 'http-rule'
  | 'bad-request';

export interface Verdict {
  allow: boolean;
  reason: Reason;
  /** Sentence for people */
  detail: string;
  rule?: PolicyRule;
  /** Refused by address: which one */
  address?: string;
}

/** An allow rule without a port means this one; a deny rule without a port means all. */
const DEFAULT_PORT = 443;

export const DENY_ALL: Policy = { mode: 'enforce', allow: [], deny: [], http: [], hash: 'deny-all' };

/** @throws SbxError `gateway`: a pattern is malformed. The caller must then deny everything or keep the last policy. */
export function compilePolicy(input: PolicyInput): Policy {
  return {
    mode: input.mode ?? 'enforce',
    ...(input.bandwidth === undefined ? {} : { bandwidth: input.bandwidth }),
    allow: input.allow.map(compileRule),
    deny: input.deny.map(compileRule),
    http: (input.http ?? []).map(compileHttpRule),
    hash: policyHash(input),
  };
}

export function policyHash(input: PolicyInput): string {
  const lines = (rules: PolicyRule[]) =>
    rules.map((rule) => `${rule.pattern} ${rule.trusted === true} ${rule.until}`).toSorted();
  const http = (input.http ?? []).map(({ host, methods, paths }) => JSON.stringify([host, methods, paths])).toSorted();
  return createHash('sha256')
    .update(JSON.stringify([lines(input.allow), lines(input.deny), http, input.mode ?? 'enforce', input.bandwidth]))
    .digest('hex')
    .slice(0, 16);
}

function compileRule(rule: PolicyRule): Rule {
  const pattern = parsePattern(rule.pattern);
  if (pattern !== undefined) return { rule, pattern };
  throw new SbxError('gateway', `not a network pattern: ${rule.pattern}`, {
    hint: 'write a host, *.host, **.host, an address or a CIDR, then :port or :from-to',
    ...(rule.file === undefined ? {} : { place: { file: rule.file, line: rule.line ?? 1, column: 1 } }),
  });
}

/** Decided by name, before anything is resolved. `http`: a plain request, not a tunnel. */
export function decide(policy: Policy, endpoint: Endpoint, purpose: 'tunnel' | 'http' = 'tunnel'): Verdict {
  const { host, port, kind } = endpoint;
  if (kind === 'odd-number')
    return { allow: false, reason: 'odd-address', detail: 'an IPv4 address is written as four decimal numbers' };
  const denied = policy.deny.find(
    ({ pattern }) =>
      onPort(pattern, port, 'deny') && (kind === 'name' ? coversName(pattern, host) : touchesAddress(pattern, host)),
  );
  if (denied !== undefined) return deniedByRule(denied.rule, `denied by the rule ${textOf(denied.rule)}`);
  const allowed = policy.allow.filter(
    ({ rule, pattern }) =>
      onPort(pattern, port, 'allow') &&
      (kind === 'name' ? coversName(pattern, host) : coversAddress(pattern, host)) &&
      holds(rule),
  );
  // A rule of the host's own configuration may lead to a private address, so it is preferred among those that cover.
  const chosen = allowed.find(({ rule }) => rule.trusted === true) ?? allowed[0];
  if (chosen === undefined) return uncovered(policy.mode);
  if (purpose === 'http' && port === DEFAULT_PORT)
    return { allow: false, reason: 'not-tls', detail: 'plain HTTP to port 443', rule: chosen.rule };
  return { allow: true, reason: 'rule', detail: `allowed by the rule ${textOf(chosen.rule)}`, rule: chosen.rule };
}

/** Whoever serves the policy takes an expired rule out of it a moment later, or much later on a host that slept: the clock decides. */
function holds({ until }: PolicyRule): boolean {
  return until === undefined || Date.now() < until;
}

/** Decided again for each request whose method and path are read. `verdict`: the one by name, an allowance. */
export function decideRequest(policy: Policy, endpoint: Endpoint, request: RequestLine, verdict: Verdict): Verdict {
  const line = decideLine(httpRulesFor(policy.http, endpoint), request);
  if (line === undefined) return verdict;
  const { file, line: at } = line.rule;
  const place = file === undefined ? {} : { file, line: at ?? 1 };
  const rule: PolicyRule = { pattern: line.rule.host, text: textOfHttpRule(line.rule), ...place };
  if (line.kind === 'allowed') return { ...verdict, detail: `allowed by the rule ${textOf(rule)}`, rule };
  if (line.kind === 'ambiguous') return { allow: false, reason: 'bad-request', detail: line.detail, rule };
  // Nobody observes his way around a rule that he wrote himself.
  return { allow: false, reason: 'http-rule', detail: `${line.detail} (first of them: ${textOf(rule)})`, rule };
}

/** Whether method and path matter: then a tunnel to it cannot be left unread. */
export function readsRequests(policy: Policy, endpoint: Endpoint): boolean {
  return httpRulesFor(policy.http, endpoint).length > 0;
}

function uncovered(mode: Policy['mode']): Verdict {
  const allow = mode === 'observe';
  const detail = `no allow rule covers it${allow ? ', but mode "observe" lets it out' : ''}`;
  return { allow, reason: 'default-deny', detail };
}

export interface AddressQuestion {
  /** The verdict on the name */
  verdict: Verdict;
  /** What the name led to, or the literal that was asked for */
  address: string;
  port: number;
  /** Canonical addresses of this host */
  own: readonly string[];
}

/** Decided again by address, for each one that an allowed name led to. */
export function decideAddress(policy: Policy, { verdict, address, port, own }: AddressQuestion): Verdict {
  const denied = policy.deny.find(({ pattern }) => onPort(pattern, port, 'deny') && touchesAddress(pattern, address));
  if (denied !== undefined)
    return {
      ...deniedByRule(denied.rule, `its address ${address} is denied by the rule ${textOf(denied.rule)}`),
      address,
    };
  if (verdict.rule?.trusted === true) return verdict;
  const denial = addressDenial(address, own);
  if (denial === undefined) return verdict;
  const opened = policy.allow.some(
    ({ rule, pattern }) =>
      onPort(pattern, port, 'allow') && coversAddress(pattern, address) && means(pattern, denial) && holds(rule),
  );
  if (opened) return verdict;
  return {
    allow: false,
    reason: 'private-address',
    detail: `its address ${address} is ${denial.what}`,
    address,
    ...(verdict.rule === undefined ? {} : { rule: verdict.rule }),
  };
}

/** `0.0.0.0/0` does not mean the host's loopback: the rule must name the address, or a block inside its range. */
function means({ match }: Pattern, denial: AddressDenial): boolean {
  if (match.kind !== 'cidr') return false;
  if (isSingle(match)) return true;
  if (denial.kind !== 'range') return false;
  return endsOf(match).every((end) => addressDenial(end, [])?.range === denial.range);
}

function onPort({ ports }: Pattern, port: number, list: 'allow' | 'deny'): boolean {
  if (ports === undefined) return list === 'deny' || port === DEFAULT_PORT;
  return port >= ports.from && port <= ports.to;
}

function deniedByRule(rule: PolicyRule, detail: string): Verdict {
  return { allow: false, reason: 'deny-rule', detail, rule };
}

function textOf(rule: PolicyRule): string {
  const place = rule.file === undefined ? '' : ` (${rule.file}:${rule.line ?? 1})`;
  return `${rule.text ?? rule.pattern}${place}`;
}
