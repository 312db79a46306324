/** The git folder of a repository outside of the project, served as a root of its own: real git of the host meets only data of the guest. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Host, makeHost } from '../policy/host.ts';
import { Attacker, serveFolder } from './guest.ts';

const hook = ({ canary }: Host) => `#!/bin/sh\n${canary}\n`;
const config = ({ canary }: Host) => `[core]\n\trepositoryformatversion = 0\n\tfsmonitor = ${canary}\n`;

interface Attack {
  name: string;
  /** Without them it works */
  rules: string[];
  attack: (guest: Attacker, host: Host) => Promise<void>;
}

const ATTACKS: Attack[] = [
  { name: 'config', rules: ['git-config'], attack: (guest, host) => guest.write('config', config(host)) },
  { name: 'a hook', rules: ['git-hooks'], attack: (guest, host) => guest.write('hooks/pre-commit', hook(host), 0o755) },
  {
    name: 'commondir of a worktree',
    rules: ['git-pointer', 'git-complete'],
    attack: async (guest, host) => {
      await guest.write('logs/evil/config', config(host));
      await guest.write('logs/evil/HEAD', 'ref: refs/heads/main\n');
      await guest.folder('logs/evil/objects');
      await guest.folder('logs/evil/refs');
      await guest.write('worktrees/tree/commondir', '../../logs/evil\n');
    },
  },
];

/** Each use of git by which the host meets the repository */
function useGit({ gitIn }: Host): void {
  for (const folder of ['', 'tree'])
    for (const args of [['status'], ['commit', '--allow-empty', '-m', 'next']]) gitIn(folder, ...args);
}

function makeRepository({ git }: Host): void {
  git('init', '-q', '-b', 'main');
  git('commit', '-q', '--allow-empty', '-m', 'first');
  git('worktree', 'add', '-q', 'tree');
}

async function attacked({ attack }: Attack, without: string[]): Promise<boolean> {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(join(host.path, '.git'), { without });
  await attack(new Attacker(served), host);
  useGit(host);
  return host.hasRun();
}

describe.each(ATTACKS)('$name', (attack) => {
  test('runs nothing', async () => {
    expect(await attacked(attack, [])).toBe(false);
  });

  test('runs without the rules', async () => {
    expect(await attacked(attack, attack.rules)).toBe(true);
  });
});

test('references, objects and the index of the worktree are the host’s', async () => {
  using host = makeHost();
  makeRepository(host);
  await using served = await serveFolder(join(host.path, '.git'));
  const guest = new Attacker(served);
  for (const path of ['refs/heads/topic', 'objects/aa/bb', 'worktrees/tree/index.lock', 'packed-refs.lock']) {
    await guest.write(path, 'data');
    expect(existsSync(join(host.path, '.git', path)), path).toBe(true);
  }
});
