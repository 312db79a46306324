/** Decides on one request: by name, then resolve once, then check every address; dials nothing. */
import { isDeepStrictEqual } from 'node:util';
import { canonicalAddress, type Endpoint } from '../address/canonical-host.ts';
import type { RequestLine } from '../policy/http-rules.ts';
import {
  decide,
  decideAddress,
  decideRequest,
  decideService,
  type Policy,
  readsRequests,
  type Verdict,
} from '../policy/policy.ts';
import type { DialledService } from '../policy/types.ts';
import type { Dialer } from '../upstream/dial.ts';
import type { Resolver } from '../upstream/resolver.ts';
import type { Enforcement } from './enforcement.ts';

export interface Admission {
  verdict: Verdict;
  /** Checked addresses; empty: the host's own proxy resolves the name */
  addresses: string[];
  /** A service of the host: dialled instead of `addresses` */
  service?: DialledService;
  /** The policy of this decision */
  policy: Policy;
}

export interface AdmissionQuestion {
  endpoint: Endpoint;
  purpose: 'tunnel' | 'http';
  /** For intercepted requests; undefined: the tunnel is opaque */
  line?: RequestLine | undefined;
  /** The current policy: read again after the name was resolved */
  policy: () => Policy;
  resolver: Resolver;
  dialer: Dialer;
  enforcement: Enforcement;
}

/** @throws when the name has no address */
export async function admit(question: AdmissionQuestion, signal: AbortSignal): Promise<Admission> {
  const { endpoint, purpose, resolver, dialer } = question;
  const name = byName(question);
  // A request that method or path forbids is not resolved at all.
  const first = name.allow ? byLine(question, name) : name;
  const none = { addresses: [], policy: question.policy() };
  if (!first.allow || name.rule?.service !== undefined) return { verdict: first, ...serviceOf(name), ...none };
  // Without a rule for the name (mode `observe`) its address must be checked, so a proxy may not resolve it.
  const named = endpoint.kind !== 'address' && name.rule !== undefined;
  if (named && dialer.resolves({ ...endpoint, purpose })) return { verdict: first, ...none };
  const found = endpoint.kind === 'address' ? [endpoint.host] : await resolver.resolve(endpoint.host, signal);
  // The checked text is the text that is dialled.
  const addresses = found.map(canonicalAddress);
  if (addresses.length === 0) throw new Error('the name has no address');
  // The policy may have changed while resolving.
  return admitKnown(question, addresses);
}

/** For addresses resolved earlier, by the current policy. */
export function admitKnown(question: AdmissionQuestion, addresses: string[]): Admission {
  const verdict = byName(question);
  const policy = question.policy();
  const refused = verdict.allow ? byAddress(question, verdict, addresses) : verdict;
  return refused === undefined
    ? { verdict: byLine(question, verdict), ...serviceOf(verdict), addresses, policy }
    : { verdict: refused, addresses: [], policy };
}

function serviceOf({ rule }: Verdict): { service?: DialledService } {
  return rule?.service === undefined ? {} : { service: rule.service };
}

function byName({ policy, endpoint, purpose, enforcement, resolver }: AdmissionQuestion): Verdict {
  if (!enforcement.policy) return { allow: true, reason: 'rule', detail: 'the control is off' };
  const verdict = decide(policy(), endpoint, purpose);
  return enforcement.addressCheck ? decideService(policy(), verdict, resolver.ownAddresses()) : verdict;
}

/** Called last, since the rule that allowed the name also decides on its addresses. */
function byLine({ policy, endpoint, line, enforcement }: AdmissionQuestion, verdict: Verdict): Verdict {
  return line === undefined || !enforcement.httpRules ? verdict : decideRequest(policy(), endpoint, line, verdict);
}

function byAddress(question: AdmissionQuestion, verdict: Verdict, addresses: string[]): Verdict | undefined {
  if (!question.enforcement.addressCheck) return undefined;
  const own = question.resolver.ownAddresses();
  const { port } = question.endpoint;
  return addresses
    .map((address) => decideAddress(question.policy(), { verdict, address, port, own }))
    .find((one) => !one.allow);
}

export interface Admitted {
  endpoint: Endpoint;
  purpose: 'tunnel' | 'http';
  addresses: string[];
  service?: DialledService | undefined;
  /** Undefined: an opaque tunnel, or no active request */
  line?: RequestLine | undefined;
}

/** Whether an admission under an earlier policy still holds. */
export function stillAdmitted(policy: Policy, admitted: Admitted, own: readonly string[]): boolean {
  const { endpoint, purpose, addresses, service, line } = admitted;
  const verdict = decideService(policy, decide(policy, endpoint, purpose), own);
  const { port } = endpoint;
  if (!verdict.allow || !isDeepStrictEqual(service, verdict.rule?.service)) return false;
  if (line === undefined ? readsRequests(policy, endpoint) : !decideRequest(policy, endpoint, line, verdict).allow)
    return false;
  return addresses.every((address) => decideAddress(policy, { verdict, address, port, own }).allow);
}
