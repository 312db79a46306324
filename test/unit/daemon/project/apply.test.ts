/** Apply and plan over the test engine, with the real loader, records and supervisor. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stopIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { applyIn, approveIn } from '../../../../lib/daemon/project/apply.ts';
import { planOf } from '../../../../lib/daemon/project/plan.ts';
import { watchAll } from '../../../../lib/daemon/service.ts';
import { CONTEXT, NO_POLICY, type Rig, rig } from '../control/rig.ts';

let dir = '';
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-apply-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (text: string) => writeFileSync(join(dir, 'sandbox.toml'), `version = 1\n${text}`);
const request = () => ({ cwd: dir, env: {} });
const idOf = ({ records }: Rig, name: string) => records.idOf(dir, name);
const apply = (shop: Rig, more: object = {}) => applyIn(shop.control, { ...request(), ...more }, CONTEXT);

/** Makes the project a worktree of a repository elsewhere. */
function worktree(outer: string, name: string): string {
  const git = join(outer, name);
  for (const folder of ['objects', 'refs', 'worktrees/w']) mkdirSync(join(git, folder), { recursive: true });
  writeFileSync(join(git, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(join(git, 'worktrees/w/commondir'), '../..\n');
  writeFileSync(join(git, 'worktrees/w/gitdir'), `${dir}/.git\n`);
  writeFileSync(join(dir, '.git'), `gitdir: ${git}/worktrees/w\n`);
  return git;
}

describe('apply', () => {
  test('brings up what the file names, removes what it no longer names, and then finds nothing to do', async () => {
    await using shop = await rig();
    write('[sandboxes.a]\n[sandboxes.b]\n');
    const first = await apply(shop);
    expect(first.sandboxes.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual(['a running', 'b running']);
    expect((await apply(shop)).steps).toEqual([]);
    write('[sandboxes.a]\n');
    expect((await apply(shop, { confirmed: true })).steps).toMatchObject([{ sandbox: 'b', action: 'destroy' }]);
    expect(shop.records.get(idOf(shop, 'b'))).toBeUndefined();
  });

  test('starts a sandbox that was stopped', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    await apply(shop);
    const id = idOf(shop, 'shop');
    await stopIn(shop.control, id, CONTEXT);
    expect((await planOf(shop.control, request())).changes).toMatchObject([{ path: 'power', from: 'off', to: 'on' }]);
    await apply(shop);
    expect(shop.records.require(id).desired).toMatchObject({ power: 'on', stoppedBy: null });
    expect(shop.engine.world.get(id)?.running).toBe(true);
  });

  test('of one sandbox asks for all that the file asks for, as all of it is approved then', async () => {
    await using shop = await rig();
    write('[sandboxes.a.network]\nallow = ["a.test"]\n[sandboxes.b.network]\nallow = ["b.test"]\n[sandboxes.c]\n');
    const one = await planOf(shop.control, { ...request(), only: ['a'] });
    expect(one.widening.map(({ sandbox }) => sandbox)).toEqual(['a', 'b']);
    expect(one.steps.map(({ sandbox }) => sandbox)).not.toContain('b');
    // One that asks for nothing needs no approval, and gives none.
    await apply(shop, { only: ['c'] });
    await expect(apply(shop, { only: ['b'] })).rejects.toMatchObject({ code: 'refused-widening' });
  });

  test('of a file that changed after the approval is refused', async () => {
    await using shop = await rig();
    write('[network]\nallow = ["a.test"]\n');
    const { wideningHash, approved } = await planOf(shop.control, request());
    expect(approved).toBe(false);
    write('[network]\nallow = ["a.test", "b.test"]\n');
    const refused = apply(shop, { acceptWidening: wideningHash });
    await expect(refused).rejects.toMatchObject({ code: 'refused-widening' });
    expect(shop.engine.done).toEqual([]);
  });

  test('serves the repository of a worktree once it is approved, and asks again for another one', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    const outer = `${dir}-outer`;
    const served = () => shop.records.require(idOf(shop, 'shop')).target?.workspace.repository;
    try {
      const first = worktree(outer, 'a.git');
      const without = await apply(shop);
      expect(without.notices).toMatchObject([{ message: expect.stringContaining(first) }]);
      expect(served()).toBeUndefined();
      const { wideningHash } = await planOf(shop.control, request());
      expect((await apply(shop, { acceptWidening: wideningHash })).notices).toEqual([]);
      expect(served()).toBe(first);
      expect((await apply(shop)).steps).toEqual([]);
      const second = worktree(outer, 'b.git');
      const again = await apply(shop);
      expect(again.notices).toMatchObject([{ message: expect.stringContaining(second) }]);
      expect(served()).toBeUndefined();
    } finally {
      rmSync(outer, { recursive: true });
    }
  });

  test('without the repository is a decision: it is not asked again, and saved rules keep it', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    const outer = `${dir}-outer`;
    try {
      const git = worktree(outer, 'a.git');
      expect((await planOf(shop.control, request())).declined).toBeUndefined();
      await apply(shop);
      const { approved, declined } = await planOf(shop.control, request());
      expect([approved, declined?.steps]).toEqual([false, []]);
      expect(declined?.notices).toMatchObject([{ message: expect.stringContaining(git) }]);
      const before = await shop.control.load(request());
      write('name = "shop"\n[network]\nallow = ["a.test"]\n');
      // Written by another program.
      expect((await planOf(shop.control, request())).declined).toBeUndefined();
      await expect(apply(shop)).rejects.toMatchObject({ code: 'refused-widening' });
      const after = await shop.control.load(request());
      expect(await approveIn(shop.control, { before, after })).toEqual({ approved: true });
      await apply(shop);
      expect(shop.records.require(idOf(shop, 'shop')).target?.workspace.repository).toBeUndefined();
      const { wideningHash } = await planOf(shop.control, request());
      await apply(shop, { acceptWidening: wideningHash });
      expect(shop.records.require(idOf(shop, 'shop')).target?.workspace.repository).toBe(git);
    } finally {
      rmSync(outer, { recursive: true });
    }
  });

  test('of a file that needs what the engine cannot do is refused at its line', async () => {
    await using shop = await rig({ capabilities: ['mounts'] });
    write('[lifecycle]\npool = 1\n');
    await expect(apply(shop)).rejects.toMatchObject({
      code: 'config-unsupported',
      place: { file: join(dir, 'sandbox.toml'), line: 3 },
    });
    await using able = await rig({ capabilities: ['lifecycle.pool'] });
    expect((await apply(able)).sandboxes).toMatchObject([{ state: 'running' }]);
  });

  test('that fails leaves the applied spec in force; the next one finishes it', async () => {
    let broken = false;
    await using shop = await rig({
      work: ({ action }) => {
        if (broken && (action === 'install' || action === 'create')) throw new Error('no space');
      },
    });
    write('name = "shop"\n');
    await apply(shop);
    broken = true;
    write('name = "shop"\n[packages]\napt = ["jq"]\n');
    await expect(apply(shop, { confirmed: true })).rejects.toMatchObject({
      step: { action: 'install', sandbox: 'shop' },
    });
    expect(shop.engine.world.get(idOf(shop, 'shop'))?.applied?.packages.apt).toEqual([]);
    broken = false;
    await apply(shop, { confirmed: true });
    expect(shop.engine.world.get(idOf(shop, 'shop'))?.applied?.packages.apt).toEqual(['jq']);
    await expect(apply(shop, { rebuild: true })).rejects.toMatchObject({ code: 'needs-confirmation' });
    broken = true;
    const { desired } = shop.records.require(idOf(shop, 'shop'));
    const rebuild = { rebuild: true, confirmed: true };
    await expect(apply(shop, rebuild)).rejects.toMatchObject({ step: { action: 'create' } });
    expect(shop.records.require(idOf(shop, 'shop')).desired).toEqual(desired);
    broken = false;
    const { steps } = await apply(shop, rebuild);
    expect(steps.map(({ action }) => action)).toEqual(['build', 'create', 'record']);
  });
});

test('a plan shows the recorded desired state of each sandbox', async () => {
  await using shop = await rig();
  write('name = "shop"\n');
  await apply(shop);
  await stopIn(shop.control, idOf(shop, 'shop'), CONTEXT);
  expect((await planOf(shop.control, request())).desired).toEqual([
    { sandbox: 'shop', exists: true, power: 'off', generation: 1, boot: 1 },
  ]);
});

test('a sandbox dropped from the file whose daemon is killed is removed by the next one', async () => {
  const shop = await rig();
  write('[sandboxes.a]\n[sandboxes.b]\n');
  await apply(shop);
  const id = idOf(shop, 'b');
  await shop.records.update(id, { desired: { ...shop.records.require(id).desired, exists: false } });
  await using next = shop.nextDaemon();
  watchAll(next.records, next.supervisor);
  while (next.engine.world.has(id)) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(next.records.get(id)).toBeUndefined();
});

describe('where nothing may be approved', () => {
  const never = {
    ...NO_POLICY,
    file: '/etc/sbx/policy.toml',
    neverApproves: { file: '/etc/sbx/policy.toml', line: 2, column: 1 },
  };

  test('a file that asks for more is refused with its approval, too; what was approved before is applied', async () => {
    await using shop = await rig();
    write('name = "shop"\n[network]\nallow = ["a.test"]\n');
    const { wideningHash } = await planOf(shop.control, request());
    await apply(shop, { acceptWidening: wideningHash });
    const strict = { ...shop, control: { ...shop.control, organisation: () => never } };
    expect((await apply(strict)).steps).toEqual([]);
    write('name = "shop"\n[network]\nallow = ["a.test", "b.test"]\n');
    const more = await planOf(strict.control, request());
    await expect(apply(strict, { acceptWidening: more.wideningHash })).rejects.toMatchObject({
      code: 'refused-policy',
    });
    await expect(apply(strict)).rejects.toMatchObject({ code: 'refused-widening' });
    // Without the policy it is only a question of the approval.
    await apply(shop, { acceptWidening: more.wideningHash });
  });

  test('nor does a command of the user approve what it wrote into the file', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    await apply(shop);
    const before = await shop.control.load(request());
    write('name = "shop"\n[network]\nallow = ["a.test"]\n');
    const after = await shop.control.load(request());
    const control = { ...shop.control, organisation: () => never };
    expect(await approveIn(control, { before, after })).toEqual({ approved: false });
    expect(await approveIn(shop.control, { before, after })).toEqual({ approved: true });
  });

  test('the plan says what the policy holds', async () => {
    await using shop = await rig();
    write('name = "shop"\n');
    const { notices } = await planOf({ ...shop.control, organisation: () => never }, request());
    expect(notices.map(({ message }) => message)).toEqual([
      'the policy of this machine holds: /etc/sbx/policy.toml: nothing can be approved',
    ]);
    expect((await planOf(shop.control, request())).notices).toEqual([]);
  });
});
