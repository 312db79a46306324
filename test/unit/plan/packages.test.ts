/** Changes of `[packages]`: what is added is installed in the sandbox as it is, all else is a new disk, with its reason. */
import { describe, expect, test } from 'vitest';
import { explainChange } from '../../../lib/plan/explain.ts';
import { endedBy } from '../../../lib/plan/loss.ts';
import { addedPackages } from '../../../lib/plan/packages.ts';
import { planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox } from '../../../lib/plan/types.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { actions, apply, reconcile, rule, running, spec, want } from './spec.ts';

const NONE = { apt: [], npm: [], pip: [], setup: [] };
const having = (packages: Partial<SandboxSpec['packages']>, rest: Partial<SandboxSpec> = {}) =>
  spec({ packages: { ...NONE, ...packages }, ...rest });
const BEFORE = having({ apt: ['git', 'jq'], npm: ['a@1'], pip: ['b'], setup: ['one', 'two'] });
const changed = (packages: Partial<SandboxSpec['packages']>, rest: Partial<SandboxSpec> = {}) =>
  having({ ...BEFORE.packages, ...packages }, rest);
const stopped: Partial<ObservedSandbox> = { running: false, ready: false, power: 'off' };
const REBUILD = ['build', 'create', 'record'];
const named = (name: string) => ({ agent: { ...spec().agent, name } });

describe('the steps of', () => {
  test.each<[string, SandboxSpec, Partial<ObservedSandbox>, string[]]>([
    ['another apt package', changed({ apt: ['ripgrep', 'git', 'jq'] }), {}, ['install', 'record']],
    ['another npm package', changed({ npm: ['a@1', 'c'] }), {}, ['install', 'record']],
    ['another pip package', changed({ pip: ['b', 'c'] }), {}, ['install', 'record']],
    ['a line at the end of setup', changed({ setup: ['one', 'two', 'three'] }), {}, ['install', 'record']],
    ['a package of a stopped sandbox', changed({ pip: ['b', 'c'] }), stopped, ['start', 'install', 'record']],
    ['no answer', changed({ pip: ['b', 'c'] }), { ready: false }, ['stop', 'start', 'install', 'record']],
    ['a package and a removal', changed({ apt: ['git', 'jq', 'rg'], npm: [] }), {}, REBUILD],
    ['a Docker engine', changed({}, { docker: { enabled: true } }), {}, REBUILD],
    ['another version', changed({ npm: ['a@2'] }), {}, REBUILD],
    ['a line at the start of setup', changed({ setup: ['zero', 'one', 'two'] }), {}, REBUILD],
    ['a line that is gone', changed({ setup: ['one'] }), {}, REBUILD],
    ['another base', changed({ apt: ['git', 'jq', 'rg'] }, { image: { base: 'debian:trixie' } }), {}, REBUILD],
    ['another agent', changed({ npm: ['a@1', 'agent'] }, named('codex')), {}, REBUILD],
  ])('%s', (_what, next, now, steps) => {
    expect(actions(planSandbox(want(next), running(BEFORE, now), apply).steps)).toEqual(steps);
  });

  test('a package with the host that it comes from: the policy is in force before', () => {
    const network = { mode: 'enforce', allow: [rule('index.test')], deny: [], http: [] } as SandboxSpec['network'];
    const { steps } = planSandbox(want(changed({ pip: ['b', 'c'] }, { network })), running(BEFORE), apply);
    expect(actions(steps)).toEqual(['network', 'install', 'record']);
  });

  test('a sandbox that stays off: nothing is recorded that was not installed', () => {
    const next = want(changed({ pip: ['b', 'c'] }));
    const off = running(BEFORE, { ...stopped, power: 'on', exit: { code: 0, at: 0 } });
    expect(planSandbox(next, off, reconcile).steps).toEqual([]);
  });
});

test('an addition loses nothing; a removal loses the disk and says why', () => {
  const endedFor = (next: SandboxSpec) => endedBy(planSandbox(want(next), running(BEFORE), apply).steps);
  expect(endedFor(changed({ apt: ['git', 'jq', 'rg'] }))).toEqual([]);
  expect(endedFor(changed({ apt: ['git'] }))).toEqual([{ sandbox: 'shop', losesDisk: true }]);
});

const DISK = 'rebuilds the sandbox: everything on its own disk is lost';
test.each<[SandboxSpec, string]>([
  [changed({ apt: ['git', 'jq', 'rg'] }), 'shop: packages.apt: + rg → installed on its own disk as it is'],
  [changed({ setup: ['one', 'two', '3'] }), 'shop: packages.setup: + 3 → runs on its own disk as it is'],
  [changed({ apt: ['git'] }), `shop: packages.apt: - jq → ${DISK} (a package cannot be removed from the disk)`],
  [
    changed({ setup: ['two', 'one'] }),
    `shop: packages.setup: another order → ${DISK} (lines of setup that ran cannot be taken back: only lines added at the end run in the sandbox as it is)`,
  ],
])('it is explained in words', (next, line) => {
  expect(planSandbox(want(next), running(BEFORE), apply).changes.map((one) => explainChange(one))).toEqual([line]);
});

test('what is added is what the disk lacks', () => {
  const after = changed({ apt: ['rg', 'git', 'jq'], setup: ['one', 'two', 'three'] }).packages;
  expect(addedPackages(BEFORE.packages, after)).toEqual({ ...NONE, apt: ['rg'], setup: ['three'] });
  expect(addedPackages(after, after)).toEqual(NONE);
});

test('a difference that needs a new disk is left alone in the background', () => {
  const less = want(spec());
  const more = running(spec({ packages: { apt: ['jq'], npm: [], pip: [], setup: [] } }));
  expect(actions(planSandbox(less, more, reconcile).steps)).toEqual([]);
  expect(actions(planSandbox(less, more, apply).steps)).toContain('create');
});
