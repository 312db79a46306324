import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { featureOf } from '../../../../lib/config/devcontainer/features.ts';
import { makeProject } from '../project.ts';

const FILE = '.devcontainer/devcontainer.json';

test('the line of setup runs the script with its options as data', async () => {
  const dir = await makeProject({
    '.devcontainer/tool/install.sh':
      '#!/usr/bin/env bash\nset -u\nprintf "%s|" "$VERSION" "$_REMOTE_USER" "$MY_KEY" "it\'s"; [[ -n $BASH ]]',
    '.devcontainer/tool/devcontainer-feature.json': '{ "options": { "version": { "default": "1" }, "my-key": {} } }',
  });
  const options = { 'my-key': "$(id) 'x' `id`; exit 3\n" };
  const { setup = 'false' } = await featureOf(dir, FILE, ['./tool', options]);
  expect(execFileSync('/bin/sh', ['-ec', setup], { encoding: 'utf8' })).toBe("1|agent|$(id) 'x' `id`; exit 3\n|it's|");
});

test.each([
  ['ghcr.io/devcontainers/features/rust:1', { apt: ['cargo', 'rustc'] }],
  ['ghcr.io/devcontainers/features/docker-outside-of-docker', { docker: true }],
])('%s', async (id, expected) => {
  expect(await featureOf(await makeProject({}), FILE, [id, {}])).toMatchObject(expected);
});

test.each([
  'ghcr.io/devcontainers/features/constructor:1',
  'ghcr.io/other/features/rust:1',
  '../tool',
  './..',
  '/tool',
])('%s becomes nothing', async (id) => {
  expect(Object.keys(await featureOf(await makeProject({}), FILE, [id, {}]))).toEqual(['what']);
});
