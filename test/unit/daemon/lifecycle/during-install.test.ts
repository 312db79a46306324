/** While packages are installed in a running sandbox: what ends its VM does not wait for that. The guest is a test double that installs for ever. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RequestContext } from '../../../../lib/api/contract.ts';
import type { Control } from '../../../../lib/daemon/control/control.ts';
import { removeIn, resetIn, restartIn, stopIn, suspendIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { applyIn } from '../../../../lib/daemon/project/apply.ts';
import type { TestEngineOptions } from '../../reconcile/test-engine.ts';
import { CONTEXT, type Rig, rig } from '../control/rig.ts';

const AGREED = { ...CONTEXT, confirmed: true };
const HOLDS = 'the step never ends by itself';

let dir = '';
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-during-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (apt: string[], of = ['a', 'b']) =>
  writeFileSync(
    join(dir, 'sandbox.toml'),
    `version = 1\n${of.map((name) => `[sandboxes.${name}.packages]\napt = ${JSON.stringify(name === 'a' ? apt : [])}\n`).join('')}`,
  );

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

/** Sandboxes `a` and `b` run; then `a` gets a package, of which the installation does not end. `other`: what another step does. */
async function installing(other: NonNullable<TestEngineOptions['work']> = () => {}) {
  const log: string[] = [];
  let begun = false;
  const shop = await rig({
    async work(step, context) {
      if (!begun) return;
      log.push(step.action);
      if (step.action === 'install') {
        await untilAborted(context.signal);
        log.push('install ended');
        context.signal.throwIfAborted();
      } else await other(step, context);
    },
  });
  const apply = (context: RequestContext = CONTEXT) => applyIn(shop.control, { cwd: dir, env: {} }, context);
  write([]);
  await apply();
  begun = true;
  write(['jq']);
  return { shop, log, apply, id: shop.records.idOf(dir, 'a') };
}

const packagesOf = ({ records }: Rig, id: string) => records.get(id)?.applied?.packages.apt;

type Verb = (control: Control, id: string, context: typeof AGREED) => Promise<unknown>;

describe('a request', () => {
  test.each<[string, Verb, (shop: Rig, id: string) => boolean]>([
    ['to stop', stopIn, ({ engine }, id) => engine.world.get(id)?.running === false],
    ['to suspend', suspendIn, ({ engine }, id) => engine.world.get(id)?.suspended !== undefined],
    ['to restart', restartIn, ({ engine }, id) => engine.world.get(id)?.boot === 2],
    ['to reset', resetIn, ({ engine }, id) => engine.world.get(id)?.generation === 2],
    ['to remove', removeIn, ({ engine }, id) => !engine.world.has(id)],
  ])('%s ends the installation, and wins; the apply says so', async (_, ask, isDone) => {
    const { shop, log, apply, id } = await installing();
    await using _shop = shop;
    const applied = expect(apply()).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringContaining('another command ended the installation'),
      hint: expect.stringContaining('sbx apply'),
    });
    await vi.waitFor(() => expect(log).toContain('install'));
    await ask(shop.control, id, AGREED);
    await applied;
    expect(log.indexOf('install ended')).toBe(log.lastIndexOf('install') + 1);
    expect([isDone(shop, id), packagesOf(shop, id) ?? []]).toEqual([true, []]);
  });

  test('that came before the installation has begun ends it, too', async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { shop, log, apply, id } = await installing(({ action }) => (action === 'network' ? gate : undefined));
    await using _shop = shop;
    shop.engine.world.set(id, { ...(shop.engine.world.get(id) ?? expect.fail()), networkHash: 'another' });
    const applied = expect(apply()).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(log).toEqual(['network']));
    const stopped = stopIn(shop.control, id, AGREED);
    go();
    await Promise.all([stopped, applied]);
    expect(log).toEqual(['network', 'install', 'install ended', 'stop']);
  });

  test('waits for no other sandbox of the same apply, which continues', async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { shop, log, apply, id } = await installing(({ action }) => (action === 'build' ? gate : undefined));
    await using _shop = shop;
    write(['jq'], ['a', 'b', 'c']);
    const applied = expect(apply()).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(log.toSorted()).toEqual(['build', 'install']));
    expect(await stopIn(shop.control, id, AGREED)).toMatchObject({ state: 'stopped' });
    const third = shop.records.idOf(dir, 'c');
    expect(shop.engine.world.has(third)).toBe(false);
    go();
    await applied;
    expect(shop.engine.world.get(third)?.running).toBe(true);
  });

  test('that needs a confirmation which is missing leaves the installation alone', async () => {
    const { shop, log, apply, id } = await installing();
    await using _shop = shop;
    const abort = new AbortController();
    const applied = expect(apply({ ...CONTEXT, signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(log).toContain('install'));
    await expect(resetIn(shop.control, id, CONTEXT)).rejects.toMatchObject({ code: 'needs-confirmation' });
    expect(log).toEqual(['install']);
    abort.abort(new Error(HOLDS));
    await applied;
  });
});

test('an apply whose client goes ends the installation; the next one installs', async () => {
  const { shop, log, apply, id } = await installing();
  await using _shop = shop;
  const abort = new AbortController();
  const applied = expect(apply({ ...CONTEXT, signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
  await vi.waitFor(() => expect(log).toContain('install'));
  abort.abort();
  await applied;
  expect([log, packagesOf(shop, id)]).toEqual([['install', 'install ended'], []]);
  const again = apply();
  await vi.waitFor(() => expect(log).toEqual(['install', 'install ended', 'install']));
  await Promise.all([stopIn(shop.control, id, AGREED), expect(again).rejects.toMatchObject({ code: 'cancelled' })]);
});
