/** What a person lets out from the command line: on disk, in force at once, and over when its time is. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createCredentials } from '../../../../../lib/engine/local/credentials/credentials.ts';
import { createEgress, type Egress } from '../../../../../lib/engine/local/egress/egress.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import { createGateway, type Gateway } from '../../../../../lib/gateway/gateway.ts';
import type { AuditRecord } from '../../../../../lib/gateway/policy/types.ts';
import type { Organisation } from '../../../../../lib/organisation/policy-file.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { openSecrets } from '../../../../../lib/secrets/secrets.ts';
import { HostAgents } from '../../../../../lib/signing/host-agents.ts';
import type { SandboxSpec } from '../../../../../lib/spec/spec.ts';
import { grantsOf, readLive } from '../../../../../lib/state/grants.ts';
import { NO_POLICY } from '../../../../unit/daemon/control/rig.ts';
import { rule, spec } from '../../../../unit/plan/spec.ts';
import { CONNECT, openClient, PUBLIC, startUpstream } from '../../../gateway/rig.ts';

const ID = 'abc123';
const network = (change: Partial<SandboxSpec['network']> = {}): SandboxSpec =>
  spec({ network: { ...spec().network, ...change } });
const wanted = (pattern: string, seconds?: number, now?: number) =>
  grantsOf([{ pattern, text: pattern, trusted: false }], seconds, now);

let home: Home;
let gateway: Gateway;
let listeners: Egress;
let upstream: Awaited<ReturnType<typeof startUpstream>>;

beforeEach(async () => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-egress-')) });
  upstream = await startUpstream((socket) => void socket.write('hello '));
  gateway = newGateway();
  listeners = createTestEgress();
  mkdirSync(instancePaths(home, ID).dir, { recursive: true });
});
afterEach(async () => {
  vi.restoreAllMocks();
  listeners[Symbol.dispose]();
  await gateway[Symbol.asyncDispose]();
  await upstream.close();
  rmSync(home.root, { recursive: true, force: true });
});

function createTestEgress(organisation?: () => Organisation): Egress {
  const refOf = () => ({ dir: '/project', name: 'shop' });
  const credentials = createCredentials({ home, secrets: openSecrets(home), refOf, ids: [] });
  return createEgress({
    home,
    gateway,
    credentials,
    agents: new HostAgents({}),
    distDir: 'dist',
    ...(organisation && { organisation }),
  });
}

function newGateway(): Gateway {
  return createGateway({
    resolver: { resolve: async () => [PUBLIC], ownAddresses: () => [] },
    dialer: {
      resolves: () => false,
      dial: async ({ addresses }) => {
        const socket = connect({ host: '127.0.0.1', port: upstream.port, allowHalfOpen: true });
        await new Promise((resolve) => socket.once('connect', resolve));
        return { socket, address: addresses[0], proxy: undefined };
      },
    },
  });
}

async function ask(authority: string) {
  const client = await openClient(instancePaths(home, ID).proxySocket);
  client.send(CONNECT(authority));
  await client.until('\r\n\r\n');
  return client;
}

const statusOf = async (authority: string) => {
  const client = await ask(authority);
  client.socket.destroy();
  return client.text().slice(9, 12);
};

const records = () =>
  readFileSync(instancePaths(home, ID).audit, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord);

describe('a grant', () => {
  test('works at once on an open listener, and its provenance is in the log', async () => {
    await listeners.open(ID, network());
    expect(await statusOf('new.test:22')).toBe('403');
    listeners.grant(ID, network(), wanted('new.test:22', 3_600));
    expect(await statusOf('new.test:22')).toBe('200');
    expect(records().at(-1)?.rule?.text).toMatch(/^new\.test:22 \(sbx net allow, until 20.*Z\)$/);
    expect(statSync(instancePaths(home, ID).grants).mode & 0o777).toBe(0o600);
  });

  test('ends when its time is over: shut for new requests, open connections cut', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), wanted('new.test:22', 0.4));
    const client = await ask('new.test:22');
    await client.until('hello ');
    await client.end();
    expect(records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', host: 'new.test' });
    expect(await statusOf('new.test:22')).toBe('403');
    expect(readLive(home, ID).grants).toEqual([]);
  });

  test('cannot open a name of the services of the host', async () => {
    await listeners.open(ID, network());
    expect(() => listeners.grant(ID, network(), wanted('db.host.sbx:5432'))).toThrow('cannot be allowed');
    expect(readLive(home, ID).grants).toEqual([]);
  });

  test('without a time holds on: that is what the test above rests on', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), wanted('new.test:22'));
    const client = await ask('new.test:22');
    await client.until('hello ');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(client.socket.destroyed).toBe(false);
    expect(await statusOf('new.test:22')).toBe('200');
  });

  test('survives the daemon: the next one serves it, and ends it', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), [...wanted('long.test:22'), ...wanted('short.test:22', 0.7)]);
    listeners[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
    gateway = newGateway();
    listeners = createTestEgress();
    await listeners.open(ID, network());
    expect(await statusOf('long.test:22')).toBe('200');
    const short = await ask('short.test:22');
    await short.end();
    expect([await statusOf('short.test:22'), await statusOf('long.test:22')]).toEqual(['403', '200']);
  });

  test('is no drift: the listener serves what it should, before, while and after', async () => {
    const same = () => gateway.hashOf(ID) === listeners.hashFor(ID, network());
    await listeners.open(ID, network());
    const first = gateway.hashOf(ID);
    expect(same()).toBe(true);
    listeners.grant(ID, network(), wanted('new.test', 0.2));
    expect([same(), gateway.hashOf(ID) === first]).toEqual([true, false]);
    const client = await ask('x.test:1');
    await client.end();
    while (gateway.hashOf(ID) !== first) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(same()).toBe(true);
  });

  test('that ends while it is put into force ends all the same', async () => {
    await listeners.open(ID, network());
    const first = gateway.hashOf(ID);
    const real = Date.now;
    let read = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + 30 * read++);
    // Each of them ends at another of the reads of the clock.
    for (const seconds of [0.03, 0.06, 0.09, 0.12, 0.15, 0.18]) {
      listeners.grant(ID, network(), wanted('new.test:22', seconds));
      await vi.waitUntil(() => gateway.hashOf(ID) === first, { timeout: 10_000 });
    }
    expect(await statusOf('new.test:22')).toBe('403');
  });

  test('stays when the spec changes, and the spec that was put into force last is kept when it ends', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), wanted('new.test:22', 0.5));
    await listeners.open(ID, network({ allow: [rule('other.test:22')] }));
    expect([await statusOf('new.test:22'), await statusOf('other.test:22')]).toEqual(['200', '200']);
    const client = await ask('new.test:22');
    await client.end();
    expect([await statusOf('new.test:22'), await statusOf('other.test:22')]).toEqual(['403', '200']);
  });

  test('that a deny rule covers is refused with the rule, and nothing is kept', async () => {
    const denying = network({ deny: [rule('bad.test', 7)] });
    const attempt = () => listeners.grant(ID, denying, wanted('bad.test'));
    expect(attempt).toThrow(SbxError);
    expect(attempt).toThrow(/bad\.test.*\/project\/sandbox\.toml:7/);
    expect(readLive(home, ID).grants).toEqual([]);
  });

  test('opens no private address by a name, and one of its own by its address', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), wanted('10.0.0.5:5432'));
    expect([await statusOf('10.0.0.5:5432'), await statusOf('10.0.0.6:5432')]).toEqual(['200', '403']);
  });

  test('of one pattern is replaced, not gathered', () => {
    listeners.grant(ID, network(), wanted('new.test', 60));
    expect(listeners.grant(ID, network(), wanted('new.test'))).toMatchObject([{ pattern: 'new.test' }]);
    expect(readLive(home, ID).grants[0]?.until).toBeUndefined();
  });

  test('that is malformed is refused, and the listener continues', async () => {
    await listeners.open(ID, network({ allow: [rule('ok.test:22')] }));
    expect(() => listeners.grant(ID, network(), wanted('a b'))).toThrow(/invalid network pattern/);
    expect(await statusOf('ok.test:22')).toBe('200');
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e12])('for %s seconds is refused', (seconds) => {
    expect(() => wanted('new.test', seconds)).toThrow(/between a second and a year/);
  });
});

describe('a denial', () => {
  const open = () => listeners.open(ID, network({ allow: [rule('ok.test:22'), rule('other.test:22')] }));

  test('cuts what is open, wins over the file at once, and its provenance is in the log', async () => {
    await open();
    const client = await ask('ok.test:22');
    await client.until('hello ');
    listeners.deny(ID, network(), wanted('ok.test'));
    await client.end();
    expect(records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', host: 'ok.test' });
    expect([await statusOf('ok.test:22'), await statusOf('other.test:22')]).toEqual(['403', '200']);
    const denied = records().find(({ verdict }) => verdict === 'deny');
    expect(denied).toMatchObject({ reason: 'deny-rule', rule: { text: 'ok.test (sbx net deny)' } });
  });

  test('without it both stay open: that is what the test above rests on', async () => {
    await open();
    expect([await statusOf('ok.test:22'), await statusOf('other.test:22')]).toEqual(['200', '200']);
  });

  test.each(['new.test', '**.test', '*.test'])('wins over a grant, before and after it: %s', async (pattern) => {
    await open();
    listeners.grant(ID, network(), wanted('new.test:22'));
    listeners.deny(ID, network(), wanted(pattern));
    expect(await statusOf('new.test:22')).toBe('403');
    expect(() => listeners.grant(ID, network(), wanted('new.test:22'))).toThrow(/sbx net deny/);
    expect(await statusOf('new.test:22')).toBe('403');
  });

  test('of an address covers the names that resolve to it, and addresses that contain it', async () => {
    await open();
    listeners.deny(ID, network(), wanted(PUBLIC));
    expect([await statusOf('ok.test:22'), await statusOf(`[::ffff:${PUBLIC}]:22`)]).toEqual(['403', '403']);
  });

  test('of another entry with the same host stays when one ends', async () => {
    await open();
    const of = (text: string, seconds?: number) => grantsOf([{ pattern: 'ok.test:22', text, trusted: true }], seconds);
    listeners.deny(ID, network(), of('preset:npm'));
    listeners.deny(ID, network(), of('preset:pip'));
    listeners.deny(ID, network(), of('ok.test:22', 1));
    listeners.revoke(ID, ['preset:pip']);
    await vi.waitUntil(() => readLive(home, ID).denials.length === 1, { timeout: 10_000 });
    expect(await statusOf('ok.test:22')).toBe('403');
    listeners.revoke(ID, ['preset:npm']);
    expect(await statusOf('ok.test:22')).toBe('200');
  });

  test('names the way out in the answer to the sandbox', async () => {
    await open();
    listeners.deny(ID, network(), wanted('ok.test', 60));
    const client = await ask('ok.test:22');
    await client.end();
    expect(client.text()).toContain('sbx net revoke ok.test');
  });

  test('ends when its time is over, and is no drift meanwhile', async () => {
    await open();
    const spec = network({ allow: [rule('ok.test:22'), rule('other.test:22')] });
    const first = gateway.hashOf(ID);
    listeners.deny(ID, spec, wanted('ok.test', 3));
    expect(gateway.hashOf(ID)).toBe(listeners.hashFor(ID, spec));
    expect(await statusOf('ok.test:22')).toBe('403');
    await vi.waitUntil(() => gateway.hashOf(ID) === first, { timeout: 10_000 });
    expect([await statusOf('ok.test:22'), readLive(home, ID).denials]).toEqual(['200', []]);
  });

  test('survives the daemon and an apply', async () => {
    await open();
    listeners.deny(ID, network(), wanted('ok.test'));
    listeners[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
    gateway = newGateway();
    listeners = createTestEgress();
    await open();
    expect([await statusOf('ok.test:22'), await statusOf('other.test:22')]).toEqual(['403', '200']);
  });

  test('is in no list that a version without denials reads as grants', () => {
    listeners.deny(ID, network(), wanted('ok.test'));
    expect(JSON.parse(readFileSync(instancePaths(home, ID).grants, 'utf8')).grants).toEqual([]);
  });

  test('that is malformed is refused, and nothing is kept', async () => {
    await open();
    expect(() => listeners.deny(ID, network(), wanted('a b'))).toThrow(/invalid network pattern/);
    expect([readLive(home, ID).denials, await statusOf('ok.test:22')]).toEqual([[], '200']);
  });
});

describe('revoke', () => {
  test('of a grant shuts the host at once and cuts what is open; another grant stays', async () => {
    await listeners.open(ID, network());
    listeners.grant(ID, network(), [...wanted('new.test:22'), ...wanted('kept.test:22')]);
    const client = await ask('new.test:22');
    await client.until('hello ');
    expect(listeners.revoke(ID, ['new.test:22'])).toMatchObject({ grants: [{ text: 'new.test:22' }], denials: [] });
    await client.end();
    expect([await statusOf('new.test:22'), await statusOf('kept.test:22')]).toEqual(['403', '200']);
  });

  test('of a denial gives back what the file allows, and never more', async () => {
    await listeners.open(ID, network({ allow: [rule('ok.test:22')] }));
    listeners.deny(ID, network(), [...wanted('ok.test'), ...wanted('never.test')]);
    listeners.revoke(ID, ['ok.test', 'never.test']);
    expect([await statusOf('ok.test:22'), await statusOf('never.test:22')]).toEqual(['200', '403']);
  });

  test('takes back a preset by its name, and leaves the rules of the file alone', async () => {
    await listeners.open(ID, network({ allow: [rule('ok.test:22')] }));
    const hosts = ['a.test:22', 'b.test:22'].map((pattern) => ({ pattern, text: 'preset:npm', trusted: true }));
    listeners.grant(ID, network(), grantsOf(hosts));
    expect(listeners.revoke(ID, ['preset:npm', 'ok.test:22']).grants).toHaveLength(2);
    expect([await statusOf('a.test:22'), await statusOf('ok.test:22')]).toEqual(['403', '200']);
  });
});

test.each(['', '{', '{"version":2,"grants":[{"pattern":"x.test"}]}', '{"version":1,"grants":7}'])(
  'a damaged file may have held denials: nothing is served, and the error names it: %s',
  async (text) => {
    const file = instancePaths(home, ID).grants;
    writeFileSync(file, text);
    const allowing = network({ allow: [rule('ok.test:22')] });
    await expect(listeners.open(ID, allowing)).rejects.toMatchObject({ why: expect.stringContaining(file) });
    expect(gateway.list()).toEqual([]);
    expect(() => listeners.deny(ID, allowing, wanted('x.test'))).toThrow('cannot be read');
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(listeners.hashFor(ID, allowing)).not.toBe(gateway.hashOf(ID));
    rmSync(file);
    await listeners.open(ID, allowing);
    expect(await statusOf('ok.test:22')).toBe('200');
  },
);

describe('a deny rule of the organisation', () => {
  const shop = network({ allow: [rule('a.test'), rule('b.test')] });
  const denying = (pattern: string): Organisation => ({
    ...NO_POLICY,
    file: '/etc/sbx/policy.toml',
    deny: [{ pattern, text: pattern, file: '/etc/sbx/policy.toml', line: 3 }],
  });

  test('wins over what the file allows, and the denial names its place; without it the host is reached', async () => {
    await listeners.open(ID, shop);
    expect(await statusOf('a.test:443')).toBe('200');
    await gateway.close(ID);
    await createTestEgress(() => denying('a.test')).open(ID, shop);
    const client = await ask('a.test:443');
    expect(client.text()).toContain('403');
    await client.until('run: sbx apply');
    expect(client.text()).toContain('/etc/sbx/policy.toml:3');
    expect(await statusOf('b.test:443')).toBe('200');
  });

  test('that is added later is drift of a sandbox that runs, and holds when it is opened again', async () => {
    let policy = NO_POLICY;
    const egress = createTestEgress(() => policy);
    await egress.open(ID, shop);
    expect(egress.hashFor(ID, shop)).toBe(gateway.hashOf(ID));
    policy = denying('a.test');
    expect(egress.hashFor(ID, shop)).not.toBe(gateway.hashOf(ID));
    await egress.open(ID, shop);
    expect(await statusOf('a.test:443')).toBe('403');
    egress[Symbol.dispose]();
  });

  test('cannot be passed by a grant', async () => {
    const egress = createTestEgress(() => denying('**.paste.test'));
    await egress.open(ID, shop);
    expect(() => egress.grant(ID, shop, wanted('x.paste.test'))).toThrow(/paste\.test/);
    expect(readLive(home, ID).grants).toEqual([]);
    egress[Symbol.dispose]();
  });

  test('that cannot be read opens nothing, and leaves the rules of before where they are', async () => {
    let isBroken = false;
    const egress = createTestEgress(() => {
      if (isBroken) throw new SbxError('config-invalid', 'broken');
      return denying('a.test');
    });
    await egress.open(ID, shop);
    isBroken = true;
    expect(egress.hashFor(ID, shop)).toBe('unreadable');
    await expect(egress.open(ID, shop)).rejects.toThrow('broken');
    expect(await statusOf('a.test:443')).toBe('403');
    egress[Symbol.dispose]();
  });
});
