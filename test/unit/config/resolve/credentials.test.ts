import { describe, expect, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { failure, hostFacts, load, makeProject } from '../project.ts';

const ONE = '[[credentials]]\nsecret = "github"\nenv = "GITHUB_TOKEN"\nhost = "API.github.com"\n';

describe('[[credentials]]', () => {
  test('has defaults, a normal form and its place', async () => {
    const { sandboxes } = await load(ONE);
    expect(sandboxes[0]?.credentials).toEqual([
      {
        secret: 'github',
        env: 'GITHUB_TOKEN',
        host: 'api.github.com',
        header: 'authorization',
        format: 'Bearer {}',
        source: { file: expect.stringMatching(/sandbox\.toml$/), line: 1, column: 3 },
      },
    ]);
  });

  test('one variable may be for several hosts; a repeated entry is used once', async () => {
    const { sandboxes } = await load(
      `${ONE}${ONE}[[credentials]]\nsecret = "github"\nenv = "GITHUB_TOKEN"\nhost = "github.com:443"\nheader = "X-Token"\nformat = "{}"`,
    );
    expect(sandboxes[0]?.credentials.map(({ host, header }) => `${host} ${header}`)).toEqual([
      'api.github.com authorization',
      'github.com:443 x-token',
    ]);
  });

  test("a template's entries are added; the project's replace those of the same variable", async () => {
    const dir = await makeProject({
      't.toml':
        '[[credentials]]\nsecret = "a"\nenv = "A"\nhost = "a.test"\n[[credentials]]\nsecret = "b"\nenv = "B"\nhost = "b.test"',
      'sandbox.toml': 'extends = ["./t.toml"]\n[[credentials]]\nsecret = "mine"\nenv = "B"\nhost = "b.test"',
    });
    const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
    expect(
      sandboxes[0]?.credentials.map(({ secret, env, source }) => [
        secret,
        env,
        source === 'default' ? '' : source.file.slice(dir.length + 1),
        source === 'default' ? 0 : source.line,
      ]),
    ).toEqual([
      ['a', 'A', 't.toml', 1],
      ['mine', 'B', 'sandbox.toml', 2],
    ]);
  });

  test.each([
    [
      'two secrets in one variable',
      `${ONE}[[credentials]]\nsecret = "x"\nenv = "GITHUB_TOKEN"\nhost = "a.test"`,
      6,
      /two secrets/,
    ],
    ['a value in [env] as well', `${ONE}[env]\nGITHUB_TOKEN = "x"`, 3, /is set in \[env\]/],
    ['a header that frames the request', `${ONE}header = "Transfer-Encoding"`, 5, /cannot carry/],
    ['a wildcard', ONE.replace('API.github.com', '*.github.com'), 4, /one host/],
    ['a range of ports', ONE.replace('API.github.com', 'a.test:1-9'), 4, /one host/],
    ['a format of two lines', `${ONE}format = "a\\n{}"`, 5, /one line/],
    ['a name that is a path', ONE.replace('"github"', '"../github"'), 2, /letters, digits/],
  ])('%s is refused with its place', async (_name, text, line, message) => {
    const error = await failure(load(text));
    expect(error).toMatchObject({ code: 'config-invalid', message: expect.stringMatching(message), place: { line } });
  });
});
