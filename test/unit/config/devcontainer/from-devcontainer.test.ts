import { expect, test } from 'vitest';
import { fromDevcontainer } from '../../../../lib/config/devcontainer/from-devcontainer.ts';
import { detectProject, renderInit, withDevcontainer } from '../../../../lib/config/init.ts';
import { load, makeProject } from '../project.ts';

const FILE = '.devcontainer/devcontainer.json';
const convert = async (content: object | string, files: Record<string, string> = {}) => {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const dir = await makeProject({ [FILE]: text, ...files });
  return await fromDevcontainer(dir);
};
const notes = async (content: object) =>
  (await convert(content)).fields.map(({ field, what, used }) => `${used ? '+' : '-'} ${field}: ${what}`);

test('image, features, ports, variables and commands make a sandbox.toml that loads', async () => {
  const dir = await makeProject({
    'package.json': '',
    [FILE]: `{
      // With a comment, and a trailing comma.
      "name": "Shop",
      "image": "mcr.microsoft.com/devcontainers/base:1-ubuntu-24.04",
      "features": {
        "ghcr.io/devcontainers/features/go:1": { "version": "1.22" },
        "ghcr.io/devcontainers/features/docker-in-docker:2": {},
        "./tool": { "size": 3 },
      },
      "forwardPorts": [3000, "localhost:8080", 3000, "db:5432"],
      "containerEnv": { "MODE": "de\\"v\\n" },
      "postCreateCommand": "sudo apt-get update && sudo apt-get install -y jq tree && npm i -g typescript@5.9.3 && npm ci",
    }`,
    '.devcontainer/tool/install.sh': "#!/bin/sh -e\necho 'it works' $SIZE $COLOUR\n",
    '.devcontainer/tool/devcontainer-feature.json': '{ "options": { "colour": { "default": "red" } } }',
  });
  const detected = withDevcontainer(await detectProject(dir), await fromDevcontainer(dir));
  const text = renderInit(detected);
  const spec = await load(text);
  expect(spec.sandboxes[0]).toMatchObject({
    image: { base: 'ubuntu:noble' },
    packages: {
      apt: ['git', 'ripgrep', 'golang', 'jq', 'tree'],
      npm: ['typescript@5.9.3'],
      setup: [
        `env _REMOTE_USER=agent _REMOTE_USER_HOME=/home/agent _CONTAINER_USER=agent _CONTAINER_USER_HOME=/home/agent COLOUR=red SIZE=3 sh -e -c 'echo '\\''it works'\\'' $SIZE $COLOUR\n'`,
      ],
    },
    docker: { enabled: true },
    env: { MODE: 'de"v\n' },
    ports: [expect.objectContaining({ guest: 3000 }), expect.objectContaining({ guest: 8080 })],
  });
  expect(text).toContain('#   "npm ci"\n');
  expect(detected.found).toContainEqual({
    file: `${FILE}: forwardPorts "db:5432"`,
    what: 'it is no port of the sandbox',
    used: false,
  });
});

test('each field that is not used is named, with the reason where there is one', async () => {
  expect(
    await notes({ $schema: 'x', name: 'x', image: 'node', build: {}, runArgs: ['--privileged'], remoteUser: 'root' }),
  ).toEqual([
    '- image: its tag names no release of Debian or Ubuntu that sbx knows: see [image] base',
    '- build: no Dockerfile is built: write what it installs into [packages]',
    '- runArgs: it has no counterpart in sandbox.toml',
    '- remoteUser: the user is `agent`',
  ]);
});

test('nothing is run on the host, and no variable of the host gets into the file', async () => {
  const result = await convert({
    initializeCommand: 'touch ran',
    containerEnv: { KEY: `\${localEnv:HOME}`, DIR: `\${containerWorkspaceFolder}/x`, 'A=B': 'x', __proto__: 'x' },
    remoteEnv: { PATH: null },
    mounts: ['source=/,target=/host,type=bind'],
  });
  expect(result).toMatchObject({ env: {}, setup: [], later: [] });
  expect(result.fields.every(({ used }) => !used)).toBe(true);
  expect(result.fields.map(({ field }) => field)).toEqual(
    expect.arrayContaining(['initializeCommand', 'containerEnv KEY', 'containerEnv DIR', 'containerEnv A=B', 'mounts']),
  );
});

test('a feature that is more than a script, or outside of the project, is not used', async () => {
  const script = '#!/bin/bash\ntrue\n';
  const result = await convert(
    { features: { './more': {}, '../out': {}, './python': {}, './long': {}, './absent': {}, 'ghcr.io/x/y:1': {} } },
    {
      '.devcontainer/more/install.sh': script,
      '.devcontainer/more/helper.sh': script,
      'out/install.sh': script,
      '.devcontainer/python/install.sh': '#!/usr/bin/python3\n',
      '.devcontainer/long/install.sh': `#!/bin/sh\n${'#'.repeat(5000)}\n`,
    },
  );
  expect(result.setup).toEqual([]);
  expect(result.fields.filter(({ used }) => used)).toEqual([]);
  expect(result.fields).toHaveLength(6);
});

test.each([
  ['too large', ' '.repeat(65_537), { code: 'config-invalid' }],
  ['nested too deeply', '['.repeat(65_000), { code: 'config-syntax' }],
  ['no JSON', '{\n  "image" "x" }', { code: 'config-syntax', place: { line: 2, column: 11 } }],
  ['no object', '[]', { code: 'config-invalid' }],
])('a file that is %s is refused', async (_, text, error) => {
  await expect(convert(text)).rejects.toMatchObject(error);
});

test('without a file, the error names where it is looked for', async () => {
  const dir = await makeProject({});
  await expect(fromDevcontainer(dir)).rejects.toMatchObject({ code: 'usage' });
});

test('a key __proto__ is a key like others', async () => {
  const result = await convert('{ "__proto__": { "image": "debian:bookworm" } }');
  expect(result.base).toBeUndefined();
});
