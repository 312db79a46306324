import { expect, test } from 'vitest';
import { cargoRegistries } from '../../../../lib/config/registries/cargo.ts';
import { goProxies } from '../../../../lib/config/registries/go.ts';
import { mavenRepositories } from '../../../../lib/config/registries/maven.ts';
import { npmEnvironment, npmRegistries, parseNpmrc } from '../../../../lib/config/registries/npm.ts';
import { parsePipConf } from '../../../../lib/config/registries/pip.ts';
import { PUBLIC_REGISTRIES } from '../../../../lib/config/registries/public-registries.ts';
import { parseGemrc } from '../../../../lib/config/registries/rubygems.ts';

test('npmrc: registries with and without scope, quotes, comments, variables', () => {
  const text = `; c\n# registry=no\r\nregistry = "https://a.test/npm/"\n@x:registry=https://\${HOST}/\n//a.test/:_authToken=s\nregistry=https://b.test/ \n`;
  const config = parseNpmrc(text, { HOST: 'x.test' });
  expect(npmRegistries([config])).toEqual({ main: 'https://b.test/', scoped: ['https://x.test/'] });
  expect(parseNpmrc(`registry=https://\${NONE}/`, {}).get('registry')).toBe(`https://\${NONE}/`);
});

test('the environment wins over the user’s file, which wins over the system’s', () => {
  const environment = npmEnvironment({
    NPM_CONFIG_REGISTRY: 'https://env.test/',
    'npm_config_@y:registry': 'https://y.test/',
    OTHER: 'x',
    npm_config_empty: '',
  });
  const user = parseNpmrc('registry=https://user.test/\n@x:registry=https://x.test/', {});
  const machine = parseNpmrc('registry=https://machine.test/\n@x:registry=https://old.test/', {});
  expect(npmRegistries([environment, user, machine])).toEqual({
    main: 'https://env.test/',
    scoped: expect.arrayContaining(['https://x.test/', 'https://y.test/']),
  });
  expect(npmRegistries([new Map(), user, machine]).main).toBe('https://user.test/');
  expect(npmRegistries([])).toEqual({ main: undefined, scoped: [] });
});

test('pip.conf: the index first, then the extra ones, also over several lines', () => {
  const text =
    '[global]\nextra-index-url =\n    https://b.test/simple\n    https://c.test/simple\nindex_url: https://a.test/simple\n# index-url = https://no.test/\n';
  expect(parsePipConf(text)).toEqual(['https://a.test/simple', 'https://b.test/simple', 'https://c.test/simple']);
  expect(parsePipConf('')).toEqual([]);
});

test.each([
  ['nothing', '', PUBLIC_REGISTRIES.cargo],
  ['no TOML', '[source', PUBLIC_REGISTRIES.cargo],
  [
    'another registry beside it',
    '[registries.own]\nindex = "sparse+https://own.test/index/"\n',
    [...PUBLIC_REGISTRIES.cargo, 'https://own.test/index/'],
  ],
  [
    'a mirror in its place, by two steps',
    '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "b"\n[source.b]\nregistry = "sparse+https://b.test/"\n',
    ['https://b.test/'],
  ],
  [
    'a registry in its place',
    '[source.crates-io]\nreplace-with = "own"\n[registries.own]\nindex = "https://own.test/git"\n',
    ['https://own.test/git', 'https://own.test/git'],
  ],
  ['a folder in its place', '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n', []],
  ['a circle', '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "crates-io"\n', []],
])('cargo with %s', (_, text, urls) => {
  expect(cargoRegistries(text)).toEqual(urls);
});

test.each([
  [{}, PUBLIC_REGISTRIES.go],
  [{ GOPROXY: 'https://a.test|https://b.test,direct', GOSUMDB: 'off' }, ['https://a.test', 'https://b.test']],
  [{ GOPROXY: 'off', GOSUMDB: 'sums.test+key' }, ['https://sums.test']],
  [{ GOPROXY: 'direct', GOSUMDB: 'sums.test+key https://mirror.test/sums' }, ['https://mirror.test/sums']],
])('go with %j', (variables, urls) => {
  expect(goProxies(variables)).toEqual(urls);
});

test.each([
  ['nothing', '', PUBLIC_REGISTRIES.maven],
  [
    'a mirror of all',
    '<mirrors><mirror><id>m</id><url> https://m.test/a?b=1&amp;c </url><mirrorOf>*,!other</mirrorOf></mirror></mirrors>',
    ['https://m.test/a?b=1&c'],
  ],
  [
    'a mirror of all but central, and one that is a comment',
    '<!-- <mirror><url>https://no.test</url></mirror> --><mirror><mirrorOf>*,!central</mirrorOf><url>https://m.test</url></mirror>',
    ['https://m.test', ...PUBLIC_REGISTRIES.maven],
  ],
  [
    'repositories of profiles',
    `<repository><url>https://r.test</url></repository><pluginRepository><url>https://p.test</url></pluginRepository><repository><url>\${env.R}</url></repository>`,
    ['https://r.test', 'https://p.test', ...PUBLIC_REGISTRIES.maven],
  ],
])('maven with %s', (_, text, urls) => {
  expect(mavenRepositories(text)).toEqual(urls);
});

test('gemrc: the list of sources, in quotes or not', () => {
  expect(parseGemrc(':verbose: true\n:sources:\n- https://a.test/\n  - "https://b.test/"\n:other: 1\n')).toEqual([
    'https://a.test/',
    'https://b.test/',
  ]);
  expect(parseGemrc('gem: --no-document\n')).toEqual([]);
});
