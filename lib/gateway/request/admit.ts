/** The verdict on one request: decide by name → resolve once → check every address. Nothing is dialled here. */
import { canonicalAddress, type Endpoint } from '../address/canonical-host.ts';
import type { RequestLine } from '../policy/http-rules.ts';
import { decide, decideAddress, decideRequest, type Policy, readsRequests, type Verdict } from '../policy/policy.ts';
import type { Dialer } from '../upstream/dial.ts';
import type { Resolver } from '../upstream/resolver.ts';
import type { Enforcement } from './enforcement.ts';

export interface Admission {
  verdict: Verdict;
  /** All of them checked; empty: the host's own proxy resolves the name */
  addresses: string[];
  /** Under which this was decided */
  policy: Policy;
}

export interface AdmissionQuestion {
  endpoint: Endpoint;
  purpose: 'tunnel' | 'http';
  /** Where it is read: of each request. Without it the tunnel is carried unread. */
  line?: RequestLine | undefined;
  /** In force now: asked again after the name was resolved */
  policy: () => Policy;
  resolver: Resolver;
  dialer: Dialer;
  enforcement: Enforcement;
}

/** @throws when the name has no address */
export async function admit(question: AdmissionQuestion, signal: AbortSignal): Promise<Admission> {
  const { endpoint, purpose, resolver, dialer } = question;
  const name = byName(question);
  // What method and path forbid is not even looked up.
  const first = name.allow ? byLine(question, name) : name;
  const none = { addresses: [], policy: question.policy() };
  if (!first.allow) return { verdict: first, ...none };
  // Without a rule on the name (mode `observe`) nothing but its checked address speaks for it.
  const named = endpoint.kind !== 'address' && name.rule !== undefined;
  if (named && dialer.resolves({ ...endpoint, purpose })) return { verdict: first, ...none };
  const found = endpoint.kind === 'address' ? [endpoint.host] : await resolver.resolve(endpoint.host, signal);
  // What is checked is the very text that is dialled.
  const addresses = found.map(canonicalAddress);
  if (addresses.length === 0) throw new Error('the name has no address');
  // The policy may have become another meanwhile.
  return admitKnown(question, addresses);
}

/** For addresses that were found and checked before, by the policy of now. */
export function admitKnown(question: AdmissionQuestion, addresses: string[]): Admission {
  const verdict = byName(question);
  const policy = question.policy();
  const refused = verdict.allow ? byAddress(question, verdict, addresses) : verdict;
  return refused === undefined
    ? { verdict: byLine(question, verdict), addresses, policy }
    : { verdict: refused, addresses: [], policy };
}

function byName({ policy, endpoint, purpose, enforcement }: AdmissionQuestion): Verdict {
  return enforcement.policy
    ? decide(policy(), endpoint, purpose)
    : { allow: true, reason: 'rule', detail: 'the control is off' };
}

/** Last, since the rule that allowed the name speaks for its addresses. */
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
  /** Undefined: nobody reads what it carries, or nothing is under way */
  line?: RequestLine | undefined;
}

/** Whether what was admitted under an earlier policy still is. */
export function stillAdmitted(policy: Policy, admitted: Admitted, own: readonly string[]): boolean {
  const { endpoint, purpose, addresses, line } = admitted;
  const verdict = decide(policy, endpoint, purpose);
  const { port } = endpoint;
  if (!verdict.allow) return false;
  if (line === undefined ? readsRequests(policy, endpoint) : !decideRequest(policy, endpoint, line, verdict).allow)
    return false;
  return addresses.every((address) => decideAddress(policy, { verdict, address, port, own }).allow);
}
