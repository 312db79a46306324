import { expect, test } from 'vitest';
import { environmentOf } from '../../../../../lib/engine/local/guests/environment.ts';
import type { SandboxSpec } from '../../../../../lib/spec/spec.ts';

const deps = {
  credentials: { environment: async () => ({}) },
  registries: { get: async () => ({}), refresh: async () => ({}) },
};

test("a sandbox's own names and addresses are not for the proxy, unless the file says otherwise", async () => {
  const spec = { name: 'box-2', env: {}, image: { base: 'debian:bookworm' } } as SandboxSpec;
  const { no_proxy = '', NO_PROXY } = await environmentOf(deps, 'id', spec);
  expect(no_proxy.split(',')).toEqual(
    expect.arrayContaining([
      'localhost',
      '.localhost',
      'box-2',
      '127.0.0.1',
      '127.0.1.1',
      '127.0.0.0/8',
      '0.0.0.0',
      '::1',
    ]),
  );
  expect(NO_PROXY).toBe(no_proxy);
  const own = await environmentOf(deps, 'id', { ...spec, env: { no_proxy: 'mine' } });
  expect(own['no_proxy']).toBe('mine');
});

test('the variables of an image are below those of the sandbox and of the file', async () => {
  const env = { TOOL: 'of the image', MODE: 'of the image', https_proxy: 'http://elsewhere.test' };
  const image = { base: 'oci:registry.test/a:1', env };
  const spec = { name: 'box', env: { MODE: 'of the file' }, image } as unknown as SandboxSpec;
  const found = await environmentOf(deps, 'id', spec);
  expect(found).toMatchObject({ TOOL: 'of the image', MODE: 'of the file' });
  expect(found['https_proxy']).not.toContain('elsewhere');
});
