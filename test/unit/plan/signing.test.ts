import { expect, test } from 'vitest';
import { diffSpecs } from '../../../lib/plan/diff.ts';
import { explainRequest } from '../../../lib/plan/explain.ts';
import { wideningHash, widensAtBirth } from '../../../lib/plan/widening.ts';
import { FILE, spec } from './spec.ts';

const place = { file: FILE, line: 4, column: 1 };
const signing = (signingKey: string) => spec({ git: { signingKey }, sources: { 'git.sign': place } });
const ONE = signing('ssh-ed25519 AAAA');
const hashOf = (one = spec()) => wideningHash({ name: 'p', dir: '/project', files: [], sandboxes: [one] });

test('signing, and another key, widen and restart; without one it does not widen', () => {
  expect(diffSpecs(spec(), ONE)).toMatchObject([
    { path: 'git.signingKey', effect: 'restart', widens: true, source: place },
  ]);
  expect(diffSpecs(ONE, signing('ssh-ed25519 BBBB'))).toMatchObject([{ widens: true }]);
  expect(diffSpecs(ONE, spec())).toMatchObject([{ widens: false }]);
});

test('the question of approval names the key and the line', () => {
  const [change] = diffSpecs(spec(), ONE);
  expect(change && explainRequest(change)).toBe(
    `shop: git.sign: nothing → commits signed with your key ssh-ed25519 AAAA by the ssh agent of the host (${FILE}:4)`,
  );
});

test('the key is part of what the user approves; without one an earlier approval stays valid', () => {
  expect(widensAtBirth(ONE)).toContainEqual({ path: 'git.signingKey', to: 'ssh-ed25519 AAAA' });
  expect(new Set([hashOf(), hashOf(ONE), hashOf(signing('ssh-ed25519 BBBB'))]).size).toBe(3);
});
