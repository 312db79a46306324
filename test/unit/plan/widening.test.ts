import { describe, expect, test } from 'vitest';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import { wideningHash, widensAtBirth, widensField } from '../../../lib/plan/widening.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { apply, rule, running, spec, want } from './spec.ts';

describe('widening', () => {
  const network = (allow: ReturnType<typeof rule>[], deny: ReturnType<typeof rule>[] = []) =>
    spec({ network: { mode: 'enforce', allow, deny, http: [] } });
  const widens = (from: SandboxSpec, to: SandboxSpec) =>
    planSandbox(want(to), running(from), apply).changes.some((change) => change.widens);

  test('more allowed, less denied, less hidden, more mounted widen; the reverse does not', () => {
    const [less, more] = [network([]), network([rule('a.test')])];
    expect([widens(less, more), widens(more, less)]).toEqual([true, false]);
    const [strict, loose] = [network([], [rule('b.test')]), network([])];
    expect([widens(strict, loose), widens(loose, strict)]).toEqual([true, false]);
    const hidden = spec({
      workspace: { path: '/project', mode: 'mount', hide: ['.env'], readonly: [], unprotect: [] },
    });
    expect([widens(hidden, spec()), widens(spec(), hidden)]).toEqual([true, false]);
    const mounted = spec({ mounts: [{ host: '/data', guest: '/data', readonly: true, source: 'default' }] });
    expect([widens(spec(), mounted), widens(mounted, spec())]).toEqual([true, false]);
  });

  test('registries of the host’s own configuration do not widen', () => {
    expect(widens(spec(), network([rule('mirror.test:80', 1, 'preset:apt')]))).toBe(false);
  });

  test('the first rule by method and path restricts a host; a further rule, or removing all, widens', () => {
    const http = (...paths: string[]) =>
      spec({
        network: {
          mode: 'enforce',
          allow: [],
          deny: [],
          http: paths.map((path) => ({ host: 'a.test', methods: [], paths: [path], source: 'default' as const })),
        },
      });
    expect([widens(http(), http('/a')), widens(http('/a'), http())]).toEqual([false, true]);
    expect([widens(http('/a'), http('/a', '/b')), widens(http('/a', '/b'), http('/a'))]).toEqual([true, false]);
    expect(widens(http('/a'), http('/b'))).toBe(true);
  });

  test('raising or removing a bandwidth limit widens; setting or lowering one does not', () => {
    const limited = (bandwidth: number) => spec({ network: { ...spec().network, bandwidth } });
    expect([widens(limited(1_000), limited(2_000)), widens(limited(1_000), spec())]).toEqual([true, true]);
    expect([widens(limited(2_000), limited(1_000)), widens(spec(), limited(1_000))]).toEqual([false, false]);
    const hashOf = (one: SandboxSpec) => wideningHash({ name: 'p', dir: '/project', files: [], sandboxes: [one] });
    expect(hashOf(limited(1_000))).not.toBe(hashOf(limited(2_000)));
    expect(planSandbox(want(limited(1_000)), running(spec()), apply).changes).toMatchObject([
      { path: 'network.bandwidth', effect: 'live' },
    ]);
  });

  test('mode "observe" widens, live and for a new sandbox; back to "enforce" does not', () => {
    const { network: enforce } = spec();
    const observing = spec({ network: { ...enforce, mode: 'observe' } });
    expect([widens(spec(), observing), widens(observing, spec())]).toEqual([true, false]);
    const found = planSandbox(want(observing), running(spec()), apply).changes;
    expect(found).toMatchObject([{ path: 'network.mode', from: 'enforce', to: 'observe', effect: 'live' }]);
    const birth = planSandbox(want(observing), absent('shop'), apply).changes;
    expect(birth.filter((change) => change.widens)).toMatchObject([{ path: 'network.mode', to: 'observe' }]);
  });

  test('a new sandbox widens by every such entry, and the hash covers them', () => {
    const wide = network([rule('a.test', 4)]);
    expect(
      planSandbox(want(wide), absent('shop'), apply)
        .changes.filter((change) => change.widens)
        .map(({ path }) => path),
    ).toEqual(['network.allow']);
    const project = (one: SandboxSpec) => ({
      name: 'p',
      dir: '/project',
      files: [],
      sandboxes: [one],
    });
    expect(wideningHash(project(wide))).not.toBe(wideningHash(project(spec())));
    expect(wideningHash(project(spec({ env: { A: '1' } })))).toBe(wideningHash(project(spec())));
  });
});

test('a repository outside of the project widens, and so does another one in its place; to serve none does not', () => {
  expect(widensField('workspace.repository', undefined, '/a/.git')).toBe(true);
  expect(widensField('workspace.repository', '/a/.git', '/b/.git')).toBe(true);
  expect(widensField('workspace.repository', '/a/.git', undefined)).toBe(false);
  const one = (repository?: string) => {
    const { workspace } = spec();
    return spec({ workspace: repository === undefined ? workspace : { ...workspace, repository } });
  };
  const hash = (repository?: string) =>
    wideningHash({ name: 'shop', dir: '/shop', files: [], sandboxes: [one(repository)] });
  expect(new Set([hash(), hash('/a/.git'), hash('/b/.git')]).size).toBe(3);
  expect(widensAtBirth(one('/a/.git'))).toContainEqual({ path: 'workspace.repository', to: '/a/.git' });
});

test('the work tree around the project widens by itself', () => {
  expect(widensField('workspace.repositoryTop', undefined, '/a')).toBe(true);
  expect(widensField('workspace.repositoryTop', '/a', undefined)).toBe(false);
  const one = (repositoryTop?: string) => {
    const workspace = { ...spec().workspace, repository: '/a/.git' };
    return spec({ workspace: repositoryTop === undefined ? workspace : { ...workspace, repositoryTop } });
  };
  const hash = (top?: string) => wideningHash({ name: 'shop', dir: '/shop', files: [], sandboxes: [one(top)] });
  expect(new Set([hash(), hash('/a'), hash('/b')]).size).toBe(3);
  expect(widensAtBirth(one('/a'))).toContainEqual({ path: 'workspace.repositoryTop', to: '/a' });
});
