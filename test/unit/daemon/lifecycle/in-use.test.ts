/** What runs in a sandbox is not ended, and its disk not deleted, before the user has agreed. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RequestContext } from '../../../../lib/api/contract.ts';
import { whatRuns } from '../../../../lib/daemon/activity/what-runs.ts';
import type { Control } from '../../../../lib/daemon/control/control.ts';
import { removeIn, resetIn, restartIn, stopIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { applyIn } from '../../../../lib/daemon/project/apply.ts';
import { planOf } from '../../../../lib/daemon/project/plan.ts';
import { SbxError } from '../../../../lib/errors.ts';
import type { SessionsRunning } from '../../../../lib/guest/protocol/messages.ts';
import { spec } from '../../plan/spec.ts';
import { CONTEXT, ID, type Rig, rig } from '../control/rig.ts';

const AT = new Date(2026, 10, 28, 9, 5).toISOString();

/** The guest reports these; undefined: it has not yet. */
function report({ engine }: Rig, sessions: SessionsRunning | undefined): void {
  const status = engine.status.bind(engine);
  Object.assign(engine, { status: (id: string) => ({ ...status(id), sessions }) });
}

/** Its guest answers a question for its sessions with this. */
function answers({ engine }: Rig, request: () => Promise<unknown>): void {
  report({ engine } as Rig, undefined);
  Object.assign(engine, { open: async () => ({ connection: { request } }) });
}

const words = (shop: Rig) => whatRuns(shop.control, shop.records.require(ID));

describe('what runs', () => {
  test.each<[string, SessionsRunning, string | undefined]>([
    ['nothing', { running: 0 }, undefined],
    ['a session', { running: 1, since: AT }, 'a session of the agent since 2026-11-28 09:05'],
    ['a session that began nobody knows when', { running: 1 }, 'a session of the agent'],
    ['two', { running: 2, since: AT }, '2 sessions of the agent, the last of them since 2026-11-28 09:05'],
  ])('%s', async (_what, sessions, said) => {
    await using shop = await rig();
    report(shop, sessions);
    expect(await words(shop)).toBe(said);
  });

  test('is named after the agent', async () => {
    await using shop = await rig();
    report(shop, { running: 1 });
    const applied = spec({ agent: { ...spec().agent, name: 'claude' } });
    await shop.records.update(ID, { applied });
    expect(await words(shop)).toBe('a session of claude');
  });

  test('a command counts for as long as it runs', async () => {
    await using shop = await rig();
    const [one, two] = [shop.control.activity.work(ID, AT), shop.control.activity.work(ID, AT)];
    expect(await words(shop)).toBe('2 commands, shells or copies, the first of them since 2026-11-28 09:05');
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(await words(shop)).toBe('a command, shell or copy since 2026-11-28 09:05');
    two[Symbol.dispose]();
    expect(await words(shop)).toBeUndefined();
  });

  test('a command that has just ended is waited for', async () => {
    await using shop = await rig();
    const work = shop.control.activity.work(ID);
    const said = words(shop);
    work[Symbol.dispose]();
    expect(await said).toBeUndefined();
  });

  test('a daemon that has just taken over asks the guest', async () => {
    await using shop = await rig();
    const running = { id: 2, startedAt: AT, terminal: true, command: 'x', clients: 0 };
    answers(shop, async () => ({
      sessions: [{ ...running, id: 1, endedAt: AT }, { ...running, lost: true }, running],
    }));
    expect(await words(shop)).toBe('a session of the agent since 2026-11-28 09:05');
  });

  test.each<[string, () => Promise<unknown>]>([
    ['answers rubbish', async () => ({ sessions: 'x' })],
    ['fails', async () => Promise.reject(new SbxError('guest-failed', 'no'))],
  ])('a guest that %s can be stopped', async (_what, request) => {
    await using shop = await rig();
    answers(shop, request);
    expect(await words(shop)).toBeUndefined();
  });

  test('a guest that says nothing can be stopped', async () => {
    await using shop = await rig();
    answers(shop, () => new Promise(() => {}));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const said = words(shop);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await said).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  test.each(['nonsense', '', '\u001b[2J'])('a time that is none (%j) is left out', async (since) => {
    await using shop = await rig();
    report(shop, { running: 1, since });
    expect(await words(shop)).toBe('a session of the agent');
  });
});

type Verb = (control: Control, id: string, context: RequestContext & { confirmed?: boolean }) => Promise<unknown>;

describe.each<[string, Verb]>([
  ['stop', stopIn],
  ['restart', restartIn],
  ['reset', resetIn],
  ['rm', removeIn],
])('%s', (_verb, ask) => {
  test.each<[string, (shop: Rig) => void]>([
    ['session', (shop) => report(shop, { running: 1, since: AT })],
    ['command', (shop) => void shop.control.activity.work(ID, AT)],
  ])('under a %s is refused and changes nothing', async (_what, use) => {
    await using shop = await rig();
    use(shop);
    const before = shop.records.require(ID);
    await expect(ask(shop.control, ID, CONTEXT)).rejects.toMatchObject({
      code: 'needs-confirmation',
      exitCode: 4,
      why: expect.stringContaining('since 2026-11-28 09:05'),
      hint: expect.stringContaining('--yes'),
    });
    expect([shop.records.require(ID), shop.engine.done]).toEqual([before, []]);
    await ask(shop.control, ID, { ...CONTEXT, confirmed: true });
    expect(shop.engine.done).not.toEqual([]);
  });
});

describe('apply', () => {
  let dir = '';
  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-in-use-')));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const write = (text: string) => writeFileSync(join(dir, 'sandbox.toml'), `version = 1\n${text}`);
  const request = () => ({ cwd: dir, env: {} });
  const apply = (shop: Rig, more: object = {}) => applyIn(shop.control, { ...request(), ...more }, CONTEXT);
  const losses = async (shop: Rig) => (await planOf(shop.control, request())).losses.map(({ message }) => message);

  test.each([
    ['another base', '[sandboxes.a]\n[sandboxes.b]\n[sandboxes.b.image]\nbase = "ubuntu:jammy"\n'],
    ['another name', '[sandboxes.a]\n[sandboxes.c]\n'],
    ['fewer sandboxes', '[sandboxes.a]\n'],
  ])('that deletes a disk (%s) names it, and is refused unless it was agreed', async (_what, next) => {
    await using shop = await rig();
    write('[sandboxes.a]\n[sandboxes.b]\n');
    await apply(shop);
    shop.engine.done.splice(0);
    write(next);
    expect(await losses(shop)).toEqual(['b: everything on its own disk is lost']);
    await expect(apply(shop)).rejects.toMatchObject({
      code: 'needs-confirmation',
      why: expect.stringContaining('b: '),
    });
    expect(shop.engine.done).toEqual([]);
    await apply(shop, { confirmed: true });
    expect(await losses(shop)).toEqual([]);
  });

  test('that restarts what runs names it, and is refused unless it was agreed', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    await apply(shop);
    shop.engine.done.splice(0);
    report(shop, { running: 1, since: AT });
    write('name = "shop"\n[resources]\nmemory = "1GiB"\n');
    expect(await losses(shop)).toEqual(['shop: ends a session of the agent since 2026-11-28 09:05']);
    await expect(apply(shop)).rejects.toMatchObject({ code: 'needs-confirmation', exitCode: 4 });
    expect(shop.engine.done).toEqual([]);
    await apply(shop, { confirmed: true });
    expect(shop.engine.done.map((one) => one.split(' ')[0])).toEqual(['stop', 'start', 'record']);
  });

  test('that only changes what is live asks nothing, also under a session', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    await apply(shop);
    report(shop, { running: 1, since: AT });
    write('name = "shop"\n[env]\nA = "1"\n[resources]\ndisk = "40GiB"\n');
    expect(await losses(shop)).toEqual([]);
    await apply(shop);
    expect(shop.engine.done.slice(-2).map((one) => one.split(' ')[0])).toEqual(['grow', 'record']);
  });

  test.each(['stop', 'start', 'record', 'grow'])(
    'of another size, killed as its %s begins, is finished by the next daemon on the same disk',
    async (action) => {
      let killed = false;
      const begun = vi.fn();
      const shop = await rig({
        work: (step) => {
          if (!killed || step.action !== action) return;
          begun();
          return new Promise(() => {});
        },
      });
      const next = action === 'grow' ? 'disk = "60GiB"' : 'memory = "1GiB"\ncpus = 1\ndisk = "60GiB"';
      write('name = "shop"\n[resources]\nmemory = "2GiB"\ncpus = 2\n');
      await apply(shop);
      killed = true;
      write(`name = "shop"\n[resources]\n${next}\n`);
      apply(shop).catch(() => {});
      await vi.waitFor(() => expect(begun).toHaveBeenCalled());
      await using after = shop.nextDaemon();
      await apply(after);
      const id = after.records.idOf(dir, 'shop');
      expect(after.engine.done.map((one) => one.split(' ')[0])).not.toContain('create');
      expect(after.engine.disks.get(id)).toBe(60 * 2 ** 30);
      expect((await planOf(after.control, request())).steps).toEqual([]);
    },
  );

  test('of a smaller disk is refused at its line, by plan too; with a new disk, or a larger one, it is none', async () => {
    await using shop = await rig();
    write('name = "shop"\n[resources]\ndisk = "40GiB"\n');
    await apply(shop);
    write('name = "shop"\n[resources]\ndisk = "30GiB"\n');
    const refused = {
      code: 'config-invalid',
      exitCode: 2,
      message: 'the disk of shop cannot become smaller: 40 GiB → 30 GiB',
      hint: expect.stringMatching(/disk = "40GiB".*sbx rm shop/),
      place: { file: join(dir, 'sandbox.toml'), line: 4 },
    };
    await expect(planOf(shop.control, request())).rejects.toMatchObject(refused);
    await expect(apply(shop, { confirmed: true })).rejects.toMatchObject(refused);
    write('name = "shop"\n');
    await expect(planOf(shop.control, request())).rejects.toMatchObject({ code: 'config-invalid', exitCode: 2 });
    write('name = "shop"\n[image]\nbase = "ubuntu:jammy"\n');
    expect(await losses(shop)).toEqual(['shop: everything on its own disk is lost']);
    write('name = "shop"\n[resources]\ndisk = "50GiB"\n');
    await apply(shop);
    expect(shop.engine.disks.get(shop.records.idOf(dir, 'shop'))).toBe(50 * 2 ** 30);
  });
});
