import { describe, expect, test } from 'vitest';
import { resolveImage } from '../../../../lib/image/oci/resolve-image.ts';
import type { Registry } from '../../../../lib/registry/registry.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** Answers with one configuration */
function registry(config: string): Registry {
  const blob = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: config.length };
  return {
    manifest: async () => ({ digest: DIGEST, mediaType: '', manifest: { schemaVersion: 2, config: blob, layers: [] } }),
    readBlob: async () => Buffer.from(config),
  } as Partial<Registry> as Registry;
}

describe('the configuration of an image', () => {
  test('gives its digest, variables, user and folder', async () => {
    const config = {
      Env: ['A=1', 'B=x=y', 'HOME=/root', 'no value', '1X=2', 'PATH=/a', 'E='],
      User: 'node',
      WorkingDir: '/app',
    };
    expect(await resolveImage(registry(JSON.stringify({ config })), 'registry.test/a:1')).toEqual({
      digest: DIGEST,
      env: { A: '1', B: 'x=y', PATH: '/a', E: '' },
      user: 'node',
      workdir: '/app',
    });
  });

  test.each(['{}', '{"config":null}', '{"config":{"Env":null,"User":""}}'])('may say nothing: %s', async (text) => {
    expect(await resolveImage(registry(text), 'registry.test/a:1')).toEqual({ digest: DIGEST, env: {} });
  });

  test.each(['', '[]', '{"config":{"Env":5}}', '{"config":{"Env":[{}]}}', `{"config":{"User":"${'u'.repeat(300)}"}}`])(
    'is refused: %j',
    async (text) => {
      await expect(resolveImage(registry(text), 'registry.test/a:1')).rejects.toMatchObject({ code: 'image-source' });
    },
  );

  test('has bounds', async () => {
    const Env = [...Array.from({ length: 300 }, (_, n) => `V${n}=1`)];
    const { env } = await resolveImage(registry(JSON.stringify({ config: { Env } })), 'registry.test/a:1');
    expect(Object.keys(env)).toHaveLength(200);
  });
});
