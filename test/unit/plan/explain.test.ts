import { describe, expect, test } from 'vitest';
import { explainChange } from '../../../lib/plan/explain.ts';
import { planSandbox } from '../../../lib/plan/plan.ts';
import { apply, FILE, rule, running, spec, want } from './spec.ts';

describe('explanations', () => {
  test('show the change, its effect and its line', () => {
    const next = spec({
      network: { mode: 'enforce', allow: [rule('a.test', 7)], deny: [], http: [] },
      sources: { 'network.allow[0]': { file: FILE, line: 7, column: 3 } },
    });
    const [change] = planSandbox(want(next), running(spec()), apply).changes;
    expect(change === undefined ? '' : explainChange(change)).toBe(
      'shop: network.allow: + a.test → takes effect at once · WIDENS (/project/sandbox.toml:7)',
    );
  });

  test('show another order of the setup lines', () => {
    const packages = (setup: string[]) => spec({ packages: { apt: [], npm: [], pip: [], setup } });
    const [change] = planSandbox(want(packages(['b', 'a'])), running(packages(['a', 'b'])), apply).changes;
    expect(change === undefined ? '' : explainChange(change)).toMatch(
      /^shop: packages\.setup: another order → rebuilds/,
    );
  });
});
