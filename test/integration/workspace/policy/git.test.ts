/** Real git on what is left on the host of a guest's attacks. */
import { describe, expect, test } from 'vitest';
import { ATTACKS, type Attack } from './attacks.ts';
import { guestOf, makeHost } from './host.ts';

/** What users and their prompts run all the time */
const COMMANDS = [['status'], ['diff'], ['rev-parse', '--git-dir'], ['add', '-A'], ['stash', '-u'], ['stash', 'pop']];

function works({ given, attack, after, worked, named = [] }: Attack, without: readonly string[]): boolean {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write('src/a.ts', 'a');
  host.git('add', '-A');
  host.git('commit', '-q', '-m', 'first');
  given?.(host);
  attack(guestOf(host, { without, named }), host);
  after?.(host);
  host.write('src/a.ts', 'b');
  for (const args of COMMANDS) host.git(...args);
  return host.hasRun() || worked?.(host) === true;
}

describe('git of the host runs and trusts nothing that a guest wrote', () => {
  test.each(ATTACKS)('$name', (attack) => {
    expect(works(attack, [])).toBe(false);
  });
});

describe('without the rule it does', () => {
  test.each(ATTACKS)('$name', (attack) => {
    expect(works(attack, attack.rules)).toBe(true);
  });
});

test('a commit of the guest is seen on the host', () => {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.git('commit', '-q', '--allow-empty', '-m', 'first');
  const guest = guestOf(host, {});
  const sha = host.git('commit-tree', '-p', 'HEAD', '-m', 'inside', 'HEAD^{tree}').trim();
  guest.write('.git/refs/heads/main.lock', `${sha}\n`);
  guest.rename('.git/refs/heads/main.lock', '.git/refs/heads/main');
  expect(host.git('log', '-1', '--format=%s')).toBe('inside\n');
});
