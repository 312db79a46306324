/** Where templates and images may come from where an organisation's policy names registries. */
import { describe, expect, test } from 'vitest';
import { SbxError } from '../../../../lib/errors.ts';
import { allowsSource, checkSource, isRegistry } from '../../../../lib/organisation/sources/allows-source.ts';

const only = (...entries: string[]) => ({
  registries: { entries, place: { file: '/etc/sbx/policy.toml', line: 4, column: 14 } },
});
const LIST = only('git.acme.test/team', 'registry.acme.test', 'build.acme.test:8443/images');

const ALLOWED = [
  'git+https://git.acme.test/team/templates.git',
  'git+https://git.acme.test/team/templates.git?path=node.toml#v1',
  'git+https://git.acme.test:443/team/templates.git',
  'git+https://someone@git.acme.test/team/templates.git',
  'git+https://GIT.acme.test/team/x',
  'git+ssh://git@git.acme.test/team/templates.git',
  'git+ssh://git@git.acme.test:22/team/templates.git',
  'git+https://build.acme.test:8443/images/x',
  'oci:registry.acme.test/any/image:1.2',
  `oci:registry.acme.test/any/image@sha256:${'a'.repeat(64)}`,
  `oci:registry.acme.test/any/image:1@sha256:${'a'.repeat(64)}`,
  'oci:registry.acme.test:443/any/image',
  'oci:build.acme.test:8443/images/node:22',
];

const REFUSED = [
  ['another host', 'git+https://evil.test/team/templates.git'],
  ['the allowed host as a user', 'git+https://git.acme.test@evil.test/team/x'],
  ['the allowed host and path as a user', 'git+https://git.acme.test%2Fteam@evil.test/team/x'],
  ['a user with a backslash', 'git+https://git.acme.test\\@evil.test/team/x'],
  ['the allowed host as a label', 'git+https://git.acme.test.evil.test/team/x'],
  ['a host that ends alike', 'git+https://evilgit.acme.test/team/x'],
  ['a subdomain', 'git+https://x.git.acme.test/team/x'],
  ['a dot at the end', 'git+https://git.acme.test./team/x'],
  ['another team', 'git+https://git.acme.test/other/x'],
  ['a team that begins alike', 'git+https://git.acme.test/team-other/x'],
  ['a way up', 'git+https://git.acme.test/team/../other/x'],
  ['an encoded way up', 'git+https://git.acme.test/team/%2e%2e/other/x'],
  ['an encoded slash', 'git+https://git.acme.test/team%2f..%2fother/x'],
  ['a way up by a backslash', 'git+https://git.acme.test/team/..\\..\\other/x'],
  ['a doubled slash', 'git+https://git.acme.test//team/x'],
  ['the path in the query', 'git+https://git.acme.test/?/team/x'],
  ['the path in the fragment', 'git+https://git.acme.test/#/team/x'],
  ['another port', 'git+https://git.acme.test:8443/team/x'],
  ['the port of HTTPS over ssh', 'git+ssh://git@git.acme.test:443/team/x'],
  ['the port of ssh over HTTPS', 'git+https://git.acme.test:22/team/x'],
  ['an option as a host', 'git+ssh://-oProxyCommand=x/team/x'],
  ['no encryption', 'git+http://git.acme.test/team/x'],
  ['a local repository', 'git+file:///team/x'],
  ['a file that names the host', 'git+file://git.acme.test/team/x'],
  ['git without a scheme', 'git@git.acme.test:team/x'],
  ['a scheme of git itself', 'git+ext::sh -c x git.acme.test/team'],
  ['HTTPS without git', 'https://git.acme.test/team/x'],
  ['a line end', 'git+https://git.acme.test/team/x\n'],
  ['an image of another registry', 'oci:evil.test/registry.acme.test/image'],
  ['an image that names no registry', 'oci:debian:12'],
  ['an image with a path, without a registry', 'oci:registry/image'],
  ['an image of a registry that begins alike', 'oci:registry.acme.test.evil.test/image'],
  ['an image of another port', 'oci:registry.acme.test:5000/image'],
  ['an image of a user', 'oci:registry.acme.test@evil.test/image'],
  ['an image with a way up', 'oci:build.acme.test:8443/images/../other/x'],
  ['an image with a scheme', 'oci://registry.acme.test/image'],
  ['nothing', ''],
] as const;

describe('the registries of an organisation', () => {
  test.each(ALLOWED)('%s is allowed', (url) => {
    expect(allowsSource(LIST, url)).toBe(true);
    expect(() => checkSource(LIST, url)).not.toThrow();
  });

  test.each(REFUSED)('%s is refused; without the list it is allowed', (_what, url) => {
    expect(allowsSource(LIST, url)).toBe(false);
    expect(allowsSource({ registries: undefined }, url)).toBe(true);
    expect(allowsSource({}, url)).toBe(true);
  });

  test('that are none let nothing in', () => {
    for (const url of ALLOWED) expect(allowsSource(only(), url)).toBe(false);
  });

  test('are named by the error, with both places', () => {
    const source = { file: '/p/sandbox.toml', line: 3, column: 11 };
    let error: unknown;
    try {
      checkSource(LIST, 'oci:evil.test/x', source);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(SbxError);
    expect(error).toMatchObject({
      code: 'refused-policy',
      message: '"oci:evil.test/x" is not from an allowed registry',
      place: source,
      why: 'the policy of this machine says so: /etc/sbx/policy.toml:4',
      hint: expect.stringContaining('registry.acme.test'),
    });
  });

  test.each([
    ['registry.acme.test', true],
    ['registry.acme.test:5000/team/images', true],
    ['[::1]:5000', true],
    ['https://registry.acme.test', false],
    ['*.acme.test', false],
    ['Registry.acme.test', false],
    ['registry.acme.test/', false],
    ['registry.acme.test/../x', false],
    ['registry.acme.test:70000', false],
    ['', false],
  ])('%j as an entry: %s', (text, valid) => expect(isRegistry(text)).toBe(valid));
});
