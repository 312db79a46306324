/** The host replaces files under a running jail. */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { checkMounts, type MountFault } from '../../../../lib/workspace/mounts/check-mounts.ts';
import { watchMounts } from '../../../../lib/workspace/mounts/watch-mounts.ts';
import type { PreparedWorkspace } from '../../../../lib/workspace/prepare.ts';
import { repository } from '../protect/attacks.ts';
import { inJail, makeWorkspace, type RunningJail, startJail, type Workspace } from '../protect/jail.ts';

/** Waits for a line on stdin, then attacks. */
const WAIT = 'echo ready; cat .env; read line; echo evil >> .git/config; cat .env; echo end';

interface Running {
  workspace: Workspace;
  jail: RunningJail;
  prepared: PreparedWorkspace;
}

async function running(): Promise<Running> {
  const workspace = makeWorkspace();
  repository(workspace);
  workspace.write({ '.env': 'first' });
  const prepared = await workspace.prepare({ hide: ['.env'] });
  const jail = await startJail(workspace, prepared.jailMounts, WAIT);
  await vi.waitFor(() => expect(jail.output()).toContain('ready'));
  const one = { workspace, jail, prepared };
  expect(checkMounts(checkOf(one))).toEqual([]);
  return one;
}

const checkOf = ({ jail, prepared }: Running) => ({
  pid: jail.pid,
  mounts: prepared.jailMounts,
  identities: prepared.identities,
});

/** As editors and git itself do. */
function replace(workspace: Workspace, name: string, content: string): void {
  workspace.write({ [`${name}.new`]: content });
  renameSync(join(workspace.path, `${name}.new`), join(workspace.path, name));
}

const targets = (faults: MountFault[]) => faults.map(({ mount, what }) => `${what} ${mount.target}`);

export function describeWatching(): void {
  describe('a host program replaces covered files', () => {
    test('the mounts are lost, which is found out', async () => {
      const one = await running();
      const { workspace } = one;
      await using jail = one.jail;
      workspace.git('config', 'user.name', 'b');
      replace(workspace, '.env', 'secret');
      expect(targets(checkMounts(checkOf(one)))).toEqual(['missing /export/ws/.env', 'missing /export/ws/.git/config']);
      // Without a watch the attack works.
      jail.child.stdin?.write('go\n');
      expect((await jail.ended).output).toContain('secret');
      expect(workspace.read('.git/config')).toContain('evil');
    });

    test('of a jail that has ended, that is no failure, and nothing more is looked at', async () => {
      const one = await running();
      const { workspace } = one;
      await using jail = one.jail;
      const failed = vi.fn();
      using _watch = watchMounts({ ...checkOf(one), onRestored: () => {}, onFailed: failed });
      jail.child.stdin?.write('go\n');
      // What follows the end of one machine is the making of the next one: files change meanwhile.
      for (let round = 0; round < 5; round += 1) {
        replace(workspace, '.env', `round ${round}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await jail.ended;
      replace(workspace, '.env', 'after');
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(failed).not.toHaveBeenCalled();
    });

    test('watched, they are back before long', async () => {
      const one = await running();
      const { workspace } = one;
      await using jail = one.jail;
      const restored: string[] = [];
      const failed = vi.fn();
      using _watch = watchMounts({
        ...checkOf(one),
        onRestored: (faults) => restored.push(...targets(faults)),
        onFailed: failed,
      });
      for (const round of [1, 2]) {
        workspace.git('config', 'user.name', `b${round}`);
        replace(workspace, '.env', 'secret');
        await vi.waitFor(() => expect(restored).toHaveLength(2 * round), { timeout: 5_000 });
      }
      expect(new Set(restored)).toEqual(new Set(['missing /export/ws/.env', 'missing /export/ws/.git/config']));
      jail.child.stdin?.write('go\n');
      expect((await jail.ended).output).not.toContain('secret');
      expect(workspace.read('.git/config')).not.toContain('evil');
      expect(failed).not.toHaveBeenCalled();
    });

    test('what cannot be covered again is reported', async () => {
      const one = await running();
      const { workspace } = one;
      await using _jail = one.jail;
      const failed = vi.fn();
      using _watch = watchMounts({ ...checkOf(one), onRestored: () => {}, onFailed: failed });
      rmSync(join(workspace.path, '.env'));
      await vi.waitFor(() => expect(failed).toHaveBeenCalled(), { timeout: 5_000 });
    });
  });

  describe('another sandbox of the workspace exchanges a folder between the look and the jail', () => {
    async function swapped(link: string) {
      const workspace = makeWorkspace();
      workspace.write({ 'conf/.env': 'x' });
      const prepared = await workspace.prepare({ hide: ['.env'] });
      mkdirSync(join(workspace.home, 'ws'));
      rmSync(join(workspace.path, 'conf'), { recursive: true });
      symlinkSync(link, join(workspace.path, 'conf'));
      return { workspace, prepared };
    }

    // The second names a neighbour of the workspace for the host, the exported workspace for the jail.
    test.each(['/', '../ws'])('for a link to %s: no jail', async (link) => {
      const { workspace, prepared } = await swapped(link);
      const { code, output } = await inJail(workspace, prepared.jailMounts, 'echo open');
      expect(code).not.toBe(0);
      expect(output).toMatch(/^bwrap: /);
    });

    test('and back: what is shown is not what was looked at, which is found out', async () => {
      const workspace = makeWorkspace();
      workspace.write({ 'conf/.env': 'x' });
      const prepared = await workspace.prepare({ hide: ['.env'] });
      const mounts = prepared.jailMounts.map((mount) =>
        mount.target === '/export/ws/conf' ? { ...mount, source: workspace.home } : mount,
      );
      workspace.write({ '../.env': '' });
      await using jail = await startJail(workspace, mounts, 'echo ready; read line');
      await vi.waitFor(() => expect(jail.output()).toContain('ready'));
      const faults = checkMounts({ pid: jail.pid, mounts, identities: prepared.identities });
      expect(targets(faults)).toEqual(['shows-something-else /export/ws/conf']);
    });
  });
}
