/** References to templates in repositories: what is one, and what could be meant to be something else. */
import { describe, expect, test } from 'vitest';
import { isGitReference, parseGitReference } from '../../../../lib/config/remote/reference.ts';
import { SbxError } from '../../../../lib/errors.ts';

const place = { file: '/p/sandbox.toml', line: 2, column: 12 };
const failure = (text: string): SbxError => {
  try {
    parseGitReference(text, place);
  } catch (error) {
    if (error instanceof SbxError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};

describe('a reference to a template', () => {
  test.each([
    ['git+https://git.test/team/sbx#v3:node.toml', 'https://git.test/team/sbx', 'v3', 'node.toml'],
    ['git+https://git.test:8443/team/sbx.git#main:a/b.toml', 'https://git.test:8443/team/sbx.git', 'main', 'a/b.toml'],
    ['git+ssh://git@git.test/team/sbx#release/1.2:x.toml', 'ssh://git@git.test/team/sbx', 'release/1.2', 'x.toml'],
    ['git+file:///srv/mirror/sbx.git#v1:x.toml', 'file:///srv/mirror/sbx.git', 'v1', 'x.toml'],
  ])('%s', (text, url, revision, path) => {
    expect(isGitReference(text)).toBe(true);
    expect(parseGitReference(text, place)).toMatchObject({ text, url, revision, path });
  });

  test.each([
    ['git+http://git.test/a#v1:x.toml', 'without TLS'],
    ['git+ext://sh -c x#v1:x.toml', 'a transport that runs a command'],
    ['git+https://git.test/a', 'without a file'],
    ['git+https://git.test/a#v1', 'without a file'],
    ['git+https://git.test/a#:x.toml', 'without a revision'],
    ['git+https://git.test/a#--upload-pack=x:x.toml', 'an option as the revision'],
    ['git+https://git.test/a#a..b:x.toml', 'a range'],
    ['git+https://git.test/a#v1:../x.toml', 'a path that goes up'],
    ['git+https://git.test/a#v1:/etc/x.toml', 'an absolute path'],
    ['git+https://git.test/a#v1:.git/x.toml', 'the folder of git'],
    ['git+https://git.test/a#v1:-x.toml', 'an option as the path'],
    ['git+https://git.test/a#v1:x.sh', 'no TOML file'],
    ['git+https://git.test/../a#v1:x.toml', 'an address that goes up'],
    ['git+https://git.test/a%2e%2e/b#v1:x.toml', 'an address with escapes'],
    ['git+https://git.test/a?b=c#v1:x.toml', 'an address with a question'],
    ['git+ssh://-oProxyCommand=x/a#v1:x.toml', 'an option as the host'],
    ['git+ssh://-l@git.test/a#v1:x.toml', 'an option as the user'],
    ['git+file://host/a#v1:x.toml', 'a file with a host'],
  ])('%s is refused with its place: %s', (text) => {
    expect(failure(text)).toMatchObject({ code: 'config-invalid', place });
  });

  test('with a password is refused, and the error does not show it', () => {
    for (const text of ['git+https://me:hunter2@git.test/a#v1:x.toml', 'git+https://hunter2@git.test/a#v1:x.toml']) {
      const error = failure(text);
      expect(`${error.message} ${error.why} ${error.hint}`).not.toContain('hunter2');
      expect(error.why).toContain('user or a password');
    }
  });
});
