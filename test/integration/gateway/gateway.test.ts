import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createGateway, type Gateway } from '../../../lib/gateway/gateway.ts';
import { policyHash } from '../../../lib/gateway/policy/policy.ts';
import type { PolicyInput } from '../../../lib/gateway/policy/types.ts';
import { answering, GET, openClient, PUBLIC, rule, startUpstream } from './rig.ts';

const ALLOW: PolicyInput = { allow: [rule('api.ok.test:80')], deny: [] };
const BROKEN: PolicyInput = { allow: [rule('api.ok.test:80'), rule('*')], deny: [] };
const ASK = GET('http://api.ok.test/', 'Connection: close\r\n');

describe('the gateway of a process', () => {
  test('has a listener for each sandbox, each on its own socket', async () => {
    await using rig = await startGateway();
    await rig.open('one', ALLOW);
    await rig.open('two', { allow: [], deny: [] });
    expect(await rig.ask('one')).toContain('200 OK');
    expect(await rig.ask('two')).toContain('403 Forbidden');
    expect(rig.gateway.list()).toEqual(['one', 'two']);
    expect(rig.gateway.hashOf('one')).toBe(policyHash(ALLOW));
    expect(rig.audit('one')).toContain('"sandbox":"one"');
    expect(rig.gateway.statsOf('one')).toMatchObject({ allowed: 1, denied: 0 });
    await rig.gateway.close('one');
    await rig.gateway.close('one');
    expect(rig.gateway.hashOf('one')).toBeUndefined();
    expect(statSync(rig.socket('one'), { throwIfNoEntry: false })).toBeUndefined();
    expect(await rig.ask('two')).toContain('403 Forbidden');
  });

  test('a malformed policy opens nothing', async () => {
    await using rig = await startGateway();
    await expect(rig.open('one', BROKEN)).rejects.toMatchObject({ code: 'gateway', place: { line: 7 } });
    expect(await rig.ask('one')).toContain('403 Forbidden');
    expect(rig.audit('one')).toContain('default-deny');
  });

  test('a malformed change leaves the last policy in force', async () => {
    await using rig = await startGateway();
    await rig.open('one', ALLOW);
    expect(() => rig.gateway.update('one', BROKEN)).toThrow('invalid network pattern');
    expect(await rig.ask('one')).toContain('200 OK');
    await expect(rig.open('one', BROKEN)).rejects.toThrow('invalid network pattern');
    expect(await rig.ask('one')).toContain('200 OK');
    expect(rig.gateway.hashOf('one')).toBe(policyHash(ALLOW));
    rig.gateway.update('one', { allow: [], deny: [] });
    expect(await rig.ask('one')).toContain('403 Forbidden');
  });

  test('a listener replaces the stale socket of another process', async () => {
    await using rig = await startGateway();
    await rig.open('one', ALLOW);
    await rig.open('one', ALLOW);
    expect(await rig.ask('one')).toContain('200 OK');
  });
});

async function startGateway() {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-gw-'));
  const upstream = await startUpstream(answering());
  const { createDialer } = await import('../../../lib/gateway/upstream/dial.ts');
  const dialer = createDialer();
  const gateway: Gateway = createGateway({
    resolver: { resolve: async () => [PUBLIC], ownAddresses: () => [] },
    dialer: {
      resolves: () => false,
      dial: (target, signal) => dialer.dial({ ...target, addresses: ['127.0.0.1'], port: upstream.port }, signal),
    },
  });
  const socket = (id: string) => join(dir, id);
  const audit = (id: string) => join(dir, `${id}.jsonl`);
  return {
    gateway,
    socket,
    audit: (id: string) => readFileSync(audit(id), 'utf8'),
    open: (id: string, policy: PolicyInput) =>
      gateway.open(id, { socketPath: socket(id), auditPath: audit(id), policy }),
    async ask(id: string) {
      const client = await openClient(socket(id));
      client.send(ASK);
      const text = await client.end();
      client.socket.destroy();
      return text;
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await upstream.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
