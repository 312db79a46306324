import { expect, test } from 'vitest';
import {
  npmEnvironment,
  npmRegistries,
  parseNpmrc,
  parsePipConf,
} from '../../../../lib/config/resolve/registry-files.ts';

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
