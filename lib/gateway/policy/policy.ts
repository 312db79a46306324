/** Decides on requests, for the proxy and for `sbx net check`: deny wins, rule order never matters. Pure. */
import { createHash } from 'node:crypto';
import { SbxError } from '../../errors.ts';
import { canonicalAddress, type Endpoint } from '../address/canonical-host.ts';
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
import { isServiceName } from './services.ts';
import type { PolicyInput, PolicyRule } from './types.ts';

interface Rule {
  rule: PolicyRule;
  pattern: Pattern;
}

export interface Policy {
  mode: 'enforce' | 'observe';
  /** Bytes per second in each direction */
  bandwidth?: number;
  allow: Rule[];
  deny: Rule[];
  http: HttpRule[];
  /** Equal policies have equal hashes */
  hash: string;
}

type Reason =
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
  /** Human-readable sentence */
  detail: string;
  rule?: PolicyRule;
  /** The denied address */
  address?: string;
}

/** The port of an allow rule without one; a deny rule without a port covers all ports. */
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
    rules
      .map(({ pattern, trusted, until, service }) =>
        [pattern, trusted === true, until, ...(service === undefined ? [] : [JSON.stringify(service)])].join(' '),
      )
      .toSorted();
  const http = (input.http ?? []).map(({ host, methods, paths }) => JSON.stringify([host, methods, paths])).toSorted();
  return createHash('sha256')
    .update(JSON.stringify([lines(input.allow), lines(input.deny), http, input.mode ?? 'enforce', input.bandwidth]))
    .digest('hex')
    .slice(0, 16);
}

function compileRule(rule: PolicyRule): Rule {
  const pattern = parsePattern(rule.pattern);
  if (pattern !== undefined) return { rule, pattern };
  throw new SbxError('gateway', `invalid network pattern: ${rule.pattern}`, {
    hint: 'write a host, *.host, **.host, an address or a CIDR, then :port or :from-to',
    ...(rule.file === undefined ? {} : { place: { file: rule.file, line: rule.line ?? 1, column: 1 } }),
  });
}

/** Decides by name, before it is resolved. `http`: a plain request, not a tunnel. */
export function decide(policy: Policy, endpoint: Endpoint, purpose: 'tunnel' | 'http' = 'tunnel'): Verdict {
  const { host, port, kind } = endpoint;
  if (kind === 'odd-number')
    return { allow: false, reason: 'odd-address', detail: 'an IPv4 address must be four decimal numbers' };
  const denied = policy.deny.find(
    ({ pattern }) =>
      onPort(pattern, port, 'deny') && (kind === 'name' ? coversName(pattern, host) : touchesAddress(pattern, host)),
  );
  if (denied !== undefined) return deniedByRule(denied.rule, `denied by the rule ${textOf(denied.rule)}`);
  const isService = kind === 'name' && isServiceName(host);
  const allowed = policy.allow.filter(
    ({ rule, pattern }) =>
      // No pattern opens a service, and no service opens a name of the network.
      (rule.service !== undefined) === isService &&
      onPort(pattern, port, 'allow') &&
      (kind === 'name' ? coversName(pattern, host) : coversAddress(pattern, host)) &&
      holds(rule),
  );
  // Rules from the host's own configuration may resolve to private addresses, so they are preferred.
  const chosen = allowed.find(({ rule }) => rule.trusted === true) ?? allowed[0];
  if (chosen === undefined) return isService ? NO_SERVICE : uncovered(policy.mode);
  if (purpose === 'http' && port === DEFAULT_PORT)
    return { allow: false, reason: 'not-tls', detail: 'plain HTTP to port 443', rule: chosen.rule };
  return { allow: true, reason: 'rule', detail: `allowed by the rule ${textOf(chosen.rule)}`, rule: chosen.rule };
}

const NO_SERVICE: Verdict = {
  allow: false,
  reason: 'default-deny',
  detail: 'no service of the host has this name and port',
};

/** Expired rules are removed from the policy with a delay, long on a host that slept, so the clock decides here. */
function holds({ until }: PolicyRule): boolean {
  return until === undefined || Date.now() < until;
}

/** A service by address leads to this host alone, and a deny rule of its address wins. `own`: canonical addresses of this host. */
export function decideService(policy: Policy, verdict: Verdict, own: readonly string[]): Verdict {
  const service = verdict.rule?.service;
  if (!verdict.allow || service === undefined || !('host' in service)) return verdict;
  const addresses = service.host === 'localhost' ? ['127.0.0.1', '::1'] : [canonicalAddress(service.host)];
  const denied = policy.deny.find(
    ({ pattern }) => onPort(pattern, service.port, 'deny') && addresses.some((one) => touchesAddress(pattern, one)),
  );
  if (denied !== undefined)
    return deniedByRule(denied.rule, `its service is denied by the rule ${textOf(denied.rule)}`);
  const other = addresses.find((one) => !isOwn(one, own));
  if (other === undefined) return verdict;
  const detail = `its service at ${other} is not on this host`;
  return { ...verdict, allow: false, reason: 'private-address', detail, address: other };
}

function isOwn(address: string, own: readonly string[]): boolean {
  const found = addressDenial(address, own);
  return found?.kind === 'own' || found?.range === 'loopback';
}

/** Decides on each request whose method and path are known. `verdict`: the verdict by name, which allows it. */
export function decideRequest(policy: Policy, endpoint: Endpoint, request: RequestLine, verdict: Verdict): Verdict {
  const line = decideLine(httpRulesFor(policy.http, endpoint), request);
  if (line === undefined) return verdict;
  const { file, line: at } = line.rule;
  const place = file === undefined ? {} : { file, line: at ?? 1 };
  const rule: PolicyRule = { pattern: line.rule.host, text: textOfHttpRule(line.rule), ...place };
  if (line.kind === 'allowed') return { ...verdict, detail: `allowed by the rule ${textOf(rule)}`, rule };
  if (line.kind === 'ambiguous') return { allow: false, reason: 'bad-request', detail: line.detail, rule };
  // Mode `observe` does not bypass an explicit HTTP rule.
  return { allow: false, reason: 'http-rule', detail: `${line.detail} (first of them: ${textOf(rule)})`, rule };
}

/** Whether method and path matter, so that a tunnel must be intercepted. */
export function readsRequests(policy: Policy, endpoint: Endpoint): boolean {
  return httpRulesFor(policy.http, endpoint).length > 0;
}

function uncovered(mode: Policy['mode']): Verdict {
  const allow = mode === 'observe';
  const detail = `no allow rule covers it${allow ? ', but mode "observe" lets it through' : ''}`;
  return { allow, reason: 'default-deny', detail };
}

export interface AddressQuestion {
  /** The verdict on the name */
  verdict: Verdict;
  /** The resolved address, or the requested literal */
  address: string;
  port: number;
  /** Canonical addresses of this host */
  own: readonly string[];
}

/** Decides on each resolved address of an allowed name. */
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

/** A broad block such as `0.0.0.0/0` does not allow loopback: the rule must name the address, or a block within its range. */
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
