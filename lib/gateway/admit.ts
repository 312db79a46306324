/** The verdict on one request: decide by name → resolve once → check every address. Nothing is dialled here. */
import { canonicalAddress, type Endpoint } from './canonical-host.ts';
import type { Controls } from './controls.ts';
import type { Dialer } from './dial.ts';
import { decide, decideAddress, type Policy, type Verdict } from './policy.ts';
import type { Resolver } from './resolver.ts';

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
  /** In force now: asked again after the name was resolved */
  policy: () => Policy;
  resolver: Resolver;
  dialer: Dialer;
  controls: Controls;
}

/** @throws when the name has no address */
export async function admit(question: AdmissionQuestion, signal: AbortSignal): Promise<Admission> {
  const { endpoint, purpose, resolver, dialer } = question;
  const first = byName(question);
  const none = { addresses: [], policy: question.policy() };
  if (!first.allow) return { verdict: first, ...none };
  // Without a rule on the name (mode `observe`) nothing but its checked address speaks for it.
  const named = endpoint.kind !== 'address' && first.rule !== undefined;
  if (named && dialer.resolves({ ...endpoint, purpose })) return { verdict: first, ...none };
  const found = endpoint.kind === 'address' ? [endpoint.host] : await resolver.resolve(endpoint.host, signal);
  // What is checked is the very text that is dialled.
  const addresses = found.map(canonicalAddress);
  if (addresses.length === 0) throw new Error('the name has no address');
  // The policy may have become another meanwhile.
  const verdict = byName(question);
  const policy = question.policy();
  const refused = verdict.allow ? byAddress(question, verdict, addresses) : verdict;
  return refused === undefined ? { verdict, addresses, policy } : { verdict: refused, addresses: [], policy };
}

function byName({ policy, endpoint, purpose, controls }: AdmissionQuestion): Verdict {
  return controls.policy
    ? decide(policy(), endpoint, purpose)
    : { allow: true, reason: 'rule', detail: 'the control is off' };
}

function byAddress(question: AdmissionQuestion, verdict: Verdict, addresses: string[]): Verdict | undefined {
  if (!question.controls.addressCheck) return undefined;
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
}

/** Whether what was admitted under an earlier policy still is. */
export function stillAdmitted(policy: Policy, admitted: Admitted, own: readonly string[]): boolean {
  const { endpoint, purpose, addresses } = admitted;
  const verdict = decide(policy, endpoint, purpose);
  const { port } = endpoint;
  return verdict.allow && addresses.every((address) => decideAddress(policy, { verdict, address, port, own }).allow);
}
