/** Suggests the fewest and narrowest allow entries for denied and observed requests. Pure. */

import { getDomain } from 'tldts';
import { authorityOf, type Endpoint } from '../address/canonical-host.ts';
import { addressDenial } from '../address/private-ranges.ts';
import { type DeniedTarget, deniedTargets } from './denied-requests.ts';
import { decide, type Policy } from './policy.ts';
import { isServiceName } from './services.ts';
import type { AuditReason, AuditRecord } from './types.ts';

export interface Suggestion {
  /** For [network] allow */
  entry: string;
  kind: 'host' | 'address' | 'wildcard' | 'preset';
  /** Requested destinations that it covers: `host:port` */
  covers: string[];
  count: number;
  last: string;
  /** `GET /path` of readable requests, the most frequent first */
  requests: string[];
}

/** A requested destination without a suggested entry */
interface Withheld {
  host: string;
  port: number;
  count: number;
  last: string;
  reason: Extract<AuditReason, 'private-address' | 'odd-address' | 'deny-rule' | 'default-deny'>;
  why: string;
}

export interface SuggestInput {
  records: Iterable<AuditRecord>;
  /** Destinations that it allows are not suggested */
  policy: Policy;
  /** The hosts of each preset on this host */
  presets: Record<string, { host: string; port: number }[]>;
  /** Canonical addresses of this host */
  own: readonly string[];
}

export interface Suggestions {
  suggestions: Suggestion[];
  withheld: Withheld[];
}

/** Number of siblings that are replaced by a wildcard */
const SIBLINGS = 3;

export function suggest(input: SuggestInput): Suggestions {
  const withheld: Withheld[] = [];
  const open: DeniedTarget[] = [];
  for (const target of deniedTargets(input.records)) {
    const verdict = withholding(target, input);
    if (verdict === 'suggest') open.push(target);
    else if (verdict !== 'allowed') withheld.push(withheldOf(target, verdict));
  }
  const [presets, rest] = byPreset(open, input.presets);
  const [wildcards, single] = byParent(rest);
  const suggestions = [...presets, ...wildcards, ...single.map(suggestionOfOne)];
  return { suggestions: suggestions.toSorted(byCount), withheld: withheld.toSorted(byCount) };
}

type Withholding = Pick<Withheld, 'reason' | 'why'>;

function withholding(target: DeniedTarget, { policy, own }: SuggestInput): Withholding | 'suggest' | 'allowed' {
  const { endpoint } = target;
  const verdict = decide(policy, endpoint);
  // No entry of [network] allow opens it.
  if (isServiceName(endpoint.host) && !verdict.allow)
    return { reason: 'default-deny', why: `${verdict.detail}: [[services]] in sandbox.toml offers them` };
  if (verdict.reason === 'odd-address' || verdict.reason === 'deny-rule')
    return { reason: verdict.reason, why: verdict.detail };
  const address = endpoint.kind === 'address' ? endpoint.host : target.privateAddress;
  const denial = address === undefined ? undefined : addressDenial(address, own);
  if (denial !== undefined && !(endpoint.kind === 'address' && verdict.reason === 'rule')) {
    const what = endpoint.kind === 'address' ? 'it is' : `its address ${address} is`;
    return { reason: 'private-address', why: `${what} ${denial.what}: add the address with its port if it is meant` };
  }
  return verdict.reason === 'rule' ? 'allowed' : 'suggest';
}

function withheldOf({ endpoint, count, last }: DeniedTarget, { reason, why }: Withholding): Withheld {
  return { host: endpoint.host, port: endpoint.port, count, last, reason, why };
}

function byPreset(open: DeniedTarget[], presets: SuggestInput['presets']): [Suggestion[], DeniedTarget[]] {
  let rest = open;
  const found: Suggestion[] = [];
  for (const [name, hosts] of Object.entries(presets)) {
    const known = new Set(hosts.map(authorityOf));
    const covered = rest.filter(({ endpoint }) => known.has(authorityOf(endpoint)));
    if (covered.length === 0) continue;
    found.push(suggestionOf(`preset:${name}`, 'preset', covered));
    rest = rest.filter(({ endpoint }) => !known.has(authorityOf(endpoint)));
  }
  return [found, rest];
}

/** Suggests a wildcard for many names below one parent, but never below a public suffix. */
function byParent(open: DeniedTarget[]): [Suggestion[], DeniedTarget[]] {
  const families = new Map<string | undefined, DeniedTarget[]>();
  for (const target of open) {
    const parent = parentOf(target.endpoint);
    const family = families.get(parent);
    if (family === undefined) families.set(parent, [target]);
    else family.push(target);
  }
  const wide: Suggestion[] = [];
  const single: DeniedTarget[] = [];
  for (const [parent, members] of families) {
    if (parent === undefined || members.length < SIBLINGS) single.push(...members);
    else wide.push(suggestionOf(`*.${parent}`, 'wildcard', members));
  }
  return [wide, single];
}

/** The parent as an entry, with its port; undefined: no wildcard is allowed here. */
function parentOf(endpoint: Endpoint): string | undefined {
  const parent = endpoint.host.slice(endpoint.host.indexOf('.') + 1);
  if (endpoint.kind !== 'name' || parent === endpoint.host || !isOwnable(parent)) return undefined;
  return entryOf({ ...endpoint, host: parent });
}

function suggestionOfOne(target: DeniedTarget): Suggestion {
  const { endpoint } = target;
  return suggestionOf(entryOf(endpoint), endpoint.kind === 'address' ? 'address' : 'host', [target]);
}

function suggestionOf(entry: string, kind: Suggestion['kind'], members: DeniedTarget[]): Suggestion {
  return {
    entry,
    kind,
    covers: members.map(({ endpoint }) => authorityOf(endpoint)).toSorted(),
    count: members.reduce((sum, { count }) => sum + count, 0),
    last:
      members
        .map(({ last }) => last)
        .toSorted()
        .at(-1) ?? '',
    requests: [...new Set(members.flatMap(({ requests }) => requests))].slice(0, 5),
  };
}

/** An entry without a port means port 443. */
function entryOf(endpoint: Endpoint): string {
  return authorityOf(endpoint).replace(/:443$/, '');
}

function byCount(a: { count: number; last: string }, b: { count: number; last: string }): number {
  return b.count - a.count || b.last.localeCompare(a.last);
}

/** False for `com`, `co.uk`, `github.io`, where anyone can register a name. */
function isOwnable(name: string): boolean {
  return name.includes('.') && getDomain(name, { allowPrivateDomains: true }) !== null;
}
