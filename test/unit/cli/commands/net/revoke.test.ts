import { expect, test } from 'vitest';
import { assertNoSandbox } from '../../../../../lib/cli/commands/net/live-rule.ts';
import { outcomeOf } from '../../../../../lib/cli/commands/net/revoke.ts';
import type { Grant } from '../../../../../lib/state/grants.ts';
import { rule, spec } from '../../../plan/spec.ts';

const grant = (pattern: string, text = pattern): Grant => ({ pattern, text, trusted: false, addedAt: '' });
const none = { grants: [], denials: [] };
const filed = spec({ network: { ...spec().network, allow: [rule('a.test', 5)], deny: [rule('b.test', 7)] } });

test('names what was revoked, from either list', () => {
  const revoked = { grants: [grant('x.test')], denials: [grant('x.test'), grant('h:1', 'preset:npm')] };
  expect(outcomeOf('x.test', revoked, spec())).toEqual({ entry: 'x.test', was: ['allow', 'deny'], stays: [] });
  expect(outcomeOf('preset:npm', revoked, spec())).toMatchObject({ was: ['deny'] });
});

test('names the file and the line of what stays', () => {
  const place = { file: '/project/sandbox.toml' };
  expect(outcomeOf('a.test', none, filed)).toMatchObject({ was: [], stays: [{ list: 'allow', ...place, line: 5 }] });
  expect(outcomeOf('b.test', none, filed)).toMatchObject({ was: [], stays: [{ list: 'deny', ...place, line: 7 }] });
  expect(outcomeOf('c.test', none, filed)).toEqual({ entry: 'c.test', was: [], stays: [] });
});

test('the name of a sandbox after a host is a mistake; a lone host may have the name of one', () => {
  const all = [{ name: 'review', id: 'abc' }];
  expect(() => assertNoSandbox(['a.test', 'review'], all)).toThrow(/review is a sandbox/);
  expect(() => assertNoSandbox(['review'], all)).not.toThrow();
});
