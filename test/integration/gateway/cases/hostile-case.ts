/** What a case of a hostile guest is, the kinds of them, and how one is run. */
import { expect } from 'vitest';
import type { Enforcement } from '../../../../lib/gateway/request/enforcement.ts';
import { UNRECOGNIZED_NAME } from '../../../../lib/gateway/tls/server-name.ts';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { CONNECT, type RigOptions, startRig } from '../rig.ts';

export interface HostileCase {
  /** Row of the table of cases, and what it sends */
  name: string;
  control: keyof Enforcement;
  send: string | Buffer;
  rig?: RigOptions;
  /** `closed`: nothing but the end, or a TLS alert after 200 */
  client: 400 | 403 | 'closed';
  reason: string;
  /** Names that may be looked up before the verdict */
  lookups?: string[];
}

/** So that a case whose control is off comes to its end as well */
const LIMITS = { headMs: 300, keepAliveMs: 300, idleMs: 300 };

export function malformed(number: number, sends: Record<string, string | Buffer>): HostileCase[] {
  return Object.entries(sends).map(([name, send]) => ({
    name: `${number} ${name}`,
    control: 'parseHead',
    send,
    client: 400,
    reason: 'bad-request',
  }));
}

export function refused(number: number, reason: string, targets: string[]): HostileCase[] {
  return targets.map((target) => ({
    name: `${number} CONNECT ${target}`,
    control: 'policy',
    send: CONNECT(target),
    client: 403,
    reason,
  }));
}

export function misleading(number: number, addresses: string[], more: Partial<HostileCase> = {}): HostileCase[] {
  return addresses.map((address) => ({
    name: `${number} a name that leads to ${address}`,
    control: 'addressCheck',
    send: CONNECT('api.ok.test:443') + helloBytes({ sni: 'api.ok.test' }).toString('latin1'),
    rig: { addresses: { 'api.ok.test': ['93.184.215.14', address] } },
    client: 403,
    reason: 'private-address',
    lookups: ['api.ok.test'],
    ...more,
  }));
}

export function untrue(number: number, sends: Record<string, string | Buffer>): HostileCase[] {
  return Object.entries(sends).map(([name, send]) => ({
    name: `${number} ${name}`,
    control: 'serverName',
    send: Buffer.concat([Buffer.from(CONNECT('api.ok.test:443')), Buffer.from(send)]),
    client: 'closed',
    reason: 'server-name',
    lookups: ['api.ok.test'],
  }));
}

/** Runs the case and asserts it in four places: the client, the record, the upstream, the resolver. */
export async function runHostile(one: HostileCase, enforcement: Partial<Enforcement> = {}): Promise<void> {
  await using rig = await startRig({ ...one.rig, limits: LIMITS, enforcement });
  const text = await rig.ask(one.send);
  if (one.client === 'closed') expect(['', TLS_ALERT]).toContain(text.replace(/^HTTP\/1\.1 200 [^\r]*\r\n\r\n/, ''));
  else expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${one.client} `));
  if (one.client === 403) expect(text).toContain('x-sbx-denied: 1');
  expect(rig.records().map(({ verdict, reason }) => ({ verdict, reason }))).toEqual([
    { verdict: 'deny', reason: one.reason },
  ]);
  expect(rig.dials).toEqual([]);
  expect(rig.received()).toBe('');
  expect(rig.lookups).toEqual(one.lookups ?? []);
}

const TLS_ALERT = UNRECOGNIZED_NAME.toString('latin1');
