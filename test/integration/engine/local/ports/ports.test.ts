/** The ports that a sandbox should have and those that are open: live changes, conflicts, the next daemon. */
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { holderOf } from '../../../../../lib/engine/local/ports/holder.ts';
import { errnoOf, SbxError } from '../../../../../lib/errors.ts';
import { useAgent } from '../../../guest/agent/agent-rig.ts';
import { dial, endOf, ID, portsRig, service } from './rig.ts';

const rig = useAgent();
const NONE = { publish: [], unpublish: [] };
const reach = (port: number, host?: string) => dial(port, host).then(text, errnoOf);

test('a taken port names its holder, is a problem of the port alone, and is opened once it is free', async () => {
  await using inside = await service((socket) => socket.end('in'));
  const holder = await service((socket) => socket.end('held'));
  using r = portsRig(() => rig.guest);
  const spec = [
    { guest: inside.port, host: holder.port },
    { guest: inside.port, host: 0 },
  ];
  await r.ports.sync(ID, { spec, running: true });
  const [taken, free] = r.ports.stateOf(ID, spec);
  expect(taken).toMatchObject({ open: false, problem: expect.stringContaining(`(pid ${process.pid})`) });
  expect(free).toMatchObject({ open: true });
  expect(await reach(free?.host ?? 0)).toBe('in');
  const publish = r.ports.change(ID, () => ({ spec: [], running: true }), {
    ...NONE,
    publish: [{ guest: 1, host: holder.port }],
  });
  await expect(publish).rejects.toMatchObject({ code: 'port-taken' });
  expect(r.ports.stateOf(ID, [])).toEqual([]);
  await holder[Symbol.asyncDispose]();
  await r.ports.sync(ID, { spec, running: true });
  expect(await reach(holder.port)).toBe('in');
});

test('a taken port with auto gets a free one; that of another sandbox is named by it', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  const auto = [{ guest: inside.port, host: port, auto: true as const }];
  await r.ports.sync('web-2', { spec: auto, running: true });
  const [other] = r.ports.stateOf('web-2', auto);
  expect(other).toMatchObject({ open: true });
  expect(other?.host).not.toBe(port);
  expect(await reach(other?.host ?? 0)).toBe('in');
  const same = [{ guest: inside.port, host: port, address: '127.0.0.1' }];
  await r.ports.sync('web-2', { spec: same, running: true });
  expect(r.ports.stateOf('web-2', same)[0]?.problem).toContain(`it leads to the sandbox ${ID}`);
});

test('changes are live: a port that is gone ends its connections, others keep theirs', async () => {
  await using inside = await service((socket) => socket.write('in'));
  using r = portsRig(() => rig.guest);
  const keeps = await r.open(inside.port);
  const rule = { guest: inside.port, host: 0, address: '127.0.0.1' };
  await r.ports.change(ID, () => ({ spec: [], running: true }), { ...NONE, publish: [rule] });
  const second = r.ports.stateOf(ID, []).find(({ address }) => address !== undefined)?.host ?? 0;
  const [kept, ended] = [await dial(keeps), await dial(second)];
  for (const socket of [kept, ended]) await new Promise((resolve) => socket.once('data', resolve));
  const unpublish = [{ guest: inside.port, host: second, address: '127.0.0.1' }];
  await r.ports.change(ID, () => ({ spec: [], running: true }), { ...NONE, unpublish });
  expect(await endOf(ended)).toBe('ECONNRESET');
  expect(await reach(second)).toBe('ECONNREFUSED');
  expect(kept.destroyed).toBe(false);
  await r.ports.sync(ID, { spec: [], running: false });
  expect(await endOf(kept)).toBe('ECONNRESET');
  expect(await reach(keeps)).toBe('ECONNREFUSED');
});

test('a book that is damaged opens nothing of it, and keeps no later change from being made', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  for (const text of ['{', '{"version":1,"published":[]}', '{"version":1,"published":[null],"picked":{}}']) {
    r.damage(text);
    await r.ports.sync(ID, { spec: [], running: true });
    expect(r.ports.stateOf(ID, [])).toEqual([]);
  }
  expect(await reach(await r.open(inside.port))).toBe('in');
});

test('a port that the sandbox itself has is named as such', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  const again = r.ports.change(ID, () => ({ spec: [], running: true }), {
    ...NONE,
    publish: [{ guest: 1, host: port }],
  });
  await expect(again).rejects.toMatchObject({
    code: 'port-taken',
    why: expect.stringMatching(/^it leads to the sandbox .* already$/),
    hint: expect.not.stringContaining('end that program'),
  });
});

test('the next daemon opens what was published, on the port that was picked', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  r.ports[Symbol.dispose]();
  expect(await reach(port)).toBe('ECONNREFUSED');
  const next = r.next();
  await next.sync(ID, { spec: [], running: true });
  expect(await reach(port)).toBe('in');
});

test('the loopback is the default; one address is that address alone', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  const both = await r.open(inside.port);
  expect([await reach(both), await reach(both, '::1'), await reach(both, '127.0.0.2')]).toEqual([
    'in',
    'in',
    'ECONNREFUSED',
  ]);
  const rule = { guest: inside.port, host: 0, address: '127.0.0.2' };
  await r.ports.change(ID, () => ({ spec: [], running: true }), { ...NONE, publish: [rule] });
  const one = r.ports.stateOf(ID, []).find(({ address }) => address !== undefined)?.host ?? 0;
  expect([await reach(one, '127.0.0.2'), await reach(one), await reach(one, '::1')]).toEqual([
    'in',
    'ECONNREFUSED',
    'ECONNREFUSED',
  ]);
});

test('a guest that does not answer resets the client', async () => {
  using r = portsRig(() => Promise.reject(new SbxError('guest-failed', 'no answer')));
  expect(await dial(await r.open(1)).then(endOf, errnoOf)).toBe('ECONNRESET');
});

test('an address that this host does not have, and a port that was never published', async () => {
  using r = portsRig(() => rig.guest);
  const running = { spec: [], running: true };
  const foreign = { guest: 1, host: 0, address: '203.0.113.9' };
  await expect(r.ports.change(ID, () => running, { ...NONE, publish: [foreign] })).rejects.toMatchObject({
    code: 'usage',
  });
  const unpublish = r.ports.change(ID, () => running, { ...NONE, unpublish: [{ guest: 1, host: 1 }] });
  await expect(unpublish).rejects.toMatchObject({ code: 'not-found' });
});

test('the holder of a port that no process of ours has', async () => {
  const { port, ...held } = await service(() => {});
  await held[Symbol.asyncDispose]();
  expect(await holderOf(port)).toBe('a connection that is still open');
});

test('a held port is open until its signal aborts; two holders keep one open until both are gone', async () => {
  await using inside = await service((socket) => socket.end('in'));
  using r = portsRig(() => rig.guest);
  const wanted = () => ({ spec: [], running: true });
  const [first, second] = [new AbortController(), new AbortController()];
  const port = await r.open(inside.port);
  await r.ports.change(ID, wanted, { publish: [], unpublish: [{ guest: inside.port, host: port }] });
  const rules = () => [{ guest: inside.port, host: port }];
  await r.ports.hold(ID, wanted, { rules: rules(), signal: first.signal });
  await r.ports.hold(ID, wanted, { rules: rules(), signal: second.signal });
  expect(r.ports.stateOf(ID, [])).toMatchObject([{ host: port, open: true, from: 'command' }]);
  expect(await reach(port)).toBe('in');
  first.abort();
  await r.ports.sync(ID, wanted());
  expect(await reach(port)).toBe('in');
  second.abort();
  await r.ports.sync(ID, wanted());
  expect(r.ports.stateOf(ID, [])).toEqual([]);
  expect(await reach(port)).toBe('ECONNREFUSED');
});

test('a port that cannot be held changes nothing; the next daemon knows of none', async () => {
  await using inside = await service((socket) => socket.end('in'));
  await using holder = await service((socket) => socket.end('held'));
  using r = portsRig(() => rig.guest);
  const wanted = () => ({ spec: [], running: true });
  const { signal } = new AbortController();
  const [free, taken] = [
    { guest: inside.port, host: 0 },
    { guest: inside.port, host: holder.port },
  ];
  await expect(r.ports.hold(ID, wanted, { rules: [free, taken], signal })).rejects.toMatchObject({
    code: 'port-taken',
    why: expect.stringContaining(`(pid ${process.pid})`),
  });
  expect(r.ports.stateOf(ID, [])).toEqual([]);
  const aborted = AbortSignal.abort();
  await r.ports.hold(ID, wanted, { rules: [free], signal: aborted });
  expect(r.ports.stateOf(ID, [])).toEqual([]);
  await r.ports.hold(ID, wanted, { rules: [free], signal });
  expect(r.ports.stateOf(ID, [])).toMatchObject([{ open: true }]);
  const next = r.next();
  await next.sync(ID, wanted());
  expect(next.stateOf(ID, [])).toEqual([]);
});
