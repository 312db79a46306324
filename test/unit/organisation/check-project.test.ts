/** What a project may not ask for where an organisation's policy holds. */
import { describe, expect, test } from 'vitest';
import { SbxError } from '../../../lib/errors.ts';
import {
  checkProject,
  refuseApproval,
  refusePorts,
  summaryOf,
  withOrganisation,
} from '../../../lib/organisation/check-project.ts';
import type { Organisation } from '../../../lib/organisation/policy-file.ts';
import { FORBIDDEN, type Forbidden } from '../../../lib/organisation/schema.ts';
import type { ProjectSpec, SandboxSpec } from '../../../lib/spec/spec.ts';
import { NO_POLICY } from '../daemon/control/rig.ts';
import { spec } from '../plan/spec.ts';

const at = (line: number) => ({ file: '/etc/sbx/policy.toml', line, column: 1 });
const source = { file: '/p/sandbox.toml', line: 7, column: 3 };
const project = (...sandboxes: SandboxSpec[]): ProjectSpec => ({
  name: 'p',
  dir: '/p',
  files: [],
  sandboxes,

  warnings: [],
});
const policy = (more: Partial<Organisation>): Organisation => ({ ...NO_POLICY, file: '/etc/sbx/policy.toml', ...more });
const refusal = (act: () => void): SbxError => {
  try {
    act();
  } catch (error) {
    if (error instanceof SbxError) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

/** A sandbox that uses what the name forbids */
const USING: Record<Forbidden, Partial<SandboxSpec>> = {
  credentials: {
    credentials: [{ secret: 's', env: 'TOKEN', host: 'a.test', header: 'authorization', format: '{}', source }],
  },
  docker: { docker: { enabled: true }, sources: { 'docker.enabled': source } },
  mcp: { mcp: [{ name: 'files', command: ['x'], folders: [], source }] },
  mounts: { mounts: [{ host: '/data', guest: '/data', readonly: true, source }] },
  'network-observe': { network: { ...spec().network, mode: 'observe' }, sources: { 'network.mode': source } },
  ports: { ports: [{ guest: 3000, host: 3000, source }] },
  'public-ports': { ports: [{ guest: 3000, host: 3000, address: '0.0.0.0', source }] },
  services: { services: [{ name: 'db', port: 1, target: { host: '127.0.0.1', port: 1 }, source }] },
  signing: { git: { signingKey: 'ssh-ed25519 AAAA' }, sources: { 'git.sign': source } },
  unprotect: {
    workspace: { ...spec().workspace, unprotect: ['.git/hooks'] },
    sources: { 'workspace.unprotect': source },
  },
};

describe('the policy of an organisation', () => {
  test.each(FORBIDDEN)('forbids %s: the error has both places; without the rule it is allowed', (name) => {
    const asks = project(spec(), spec(USING[name]));
    const error = refusal(() => checkProject(asks, policy({ forbid: [{ name, place: at(3) }] })));
    expect(error).toMatchObject({
      code: 'refused-policy',
      place: source,
      why: expect.stringContaining('policy.toml:3'),
    });
    expect(() => checkProject(asks, policy({}))).not.toThrow();
    expect(() => checkProject(project(spec()), policy({ forbid: [{ name, place: at(3) }] }))).not.toThrow();
  });

  test('lets a port of the loopback pass where only public ones are forbidden', () => {
    const forbid = [{ name: 'public-ports', place: at(3) } as const];
    expect(() => checkProject(project(spec(USING.ports)), policy({ forbid }))).not.toThrow();
    expect(() => refusePorts(policy({ forbid }), [undefined])).not.toThrow();
    expect(refusal(() => refusePorts(policy({ forbid }), [undefined, '0.0.0.0'])).code).toBe('refused-policy');
    expect(() => refusePorts(policy({ forbid }), [])).not.toThrow();
  });

  test('bounds cpus, memory, disk and the number of sandboxes: at the bound it is allowed', () => {
    const { cpus, memoryBytes, diskBytes } = spec().resources;
    const limit = (most: number) => ({ most, text: String(most), place: at(5) });
    const values = { cpus, memory: memoryBytes, disk: diskBytes };
    for (const [key, value] of Object.entries(values)) {
      expect(() => checkProject(project(spec()), policy({ limits: { [key]: limit(value) } }))).not.toThrow();
      const error = refusal(() => checkProject(project(spec()), policy({ limits: { [key]: limit(value - 1) } })));
      expect(error.message).toMatch(new RegExp(`^${key} = .* is more than`));
    }
    const two = project(spec(), spec());
    expect(() => checkProject(two, policy({ limits: { sandboxes: limit(2) } }))).not.toThrow();
    expect(refusal(() => checkProject(two, policy({ limits: { sandboxes: limit(1) } }))).message).toContain(
      '2 sandboxes',
    );
  });

  test('lets images come from its registries alone; a distribution is not one', () => {
    const base = (text: string) => project(spec({ image: { base: text }, sources: { 'image.base': source } }));
    const listed = policy({ registries: { entries: ['registry.test/team'], place: at(6) } });
    expect(() => checkProject(base('oci:registry.test/team/image:1'), listed)).not.toThrow();
    expect(() => checkProject(base('debian:bookworm'), listed)).not.toThrow();
    expect(() => checkProject(base('oci:other.test/team/image:1'), policy({}))).not.toThrow();
    expect(refusal(() => checkProject(base('oci:other.test/team/image:1'), listed))).toMatchObject({
      code: 'refused-policy',
      place: source,
      why: expect.stringContaining('policy.toml:6'),
    });
    expect(summaryOf(listed)).toBe('/etc/sbx/policy.toml: templates and images from registry.test/team');
  });

  test('approves nothing where it says never', () => {
    expect(() => refuseApproval(policy({}), 'another host')).not.toThrow();
    expect(refusal(() => refuseApproval(policy({ neverApproves: at(2) }), 'another host'))).toMatchObject({
      code: 'refused-policy',
      why: expect.stringContaining('policy.toml:2'),
    });
  });

  test('adds its deny rules to those of a sandbox, and says in a line what it holds', () => {
    const deny = [{ pattern: '*.paste.test', text: '*.paste.test', file: '/etc/sbx/policy.toml', line: 4 }];
    const input = { allow: [], deny: [{ pattern: 'a.test' }] };
    expect(withOrganisation(input, policy({ deny })).deny.map(({ pattern }) => pattern)).toEqual([
      'a.test',
      '*.paste.test',
    ]);
    expect(withOrganisation(input, NO_POLICY)).toBe(input);
    expect(summaryOf(NO_POLICY)).toBeUndefined();
    expect(summaryOf(policy({}))).toBe('/etc/sbx/policy.toml: no rule');
    expect(summaryOf(policy({ deny, neverApproves: at(2) }))).toBe(
      '/etc/sbx/policy.toml: denies *.paste.test; nothing can be approved',
    );
  });
});
