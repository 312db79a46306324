/** `sbx workspace check` against what a guest gets at the same moment. */
import { linkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explainPath } from '../../../../lib/workspace/server/explain-path.ts';
import { type Host, makeHost } from '../policy/host.ts';
import { Attacker, serveFolder } from './guest.ts';

const source = { file: '/project/sandbox.toml', line: 3, column: 1 };

function project(): Host {
  const host = makeHost();
  host.git('init', '-q');
  host.git('config', 'core.hooksPath', 'team/hooks');
  host.write('deep/.env', 'secret');
  host.write('plain', 'text');
  return host;
}

test.each([
  ['plain', 'pass', 'pass', 'none'],
  ['none/yet', 'pass', 'pass', 'none'],
  ['deep/.env', 'hidden', 'hidden', 'hide = [".env"] (/project/sandbox.toml:3): the project hides it'],
  ['copy', 'hidden', 'hidden', 'hide = [".env"] (/project/sandbox.toml:3): the project hides it'],
  ['.git/config', 'private', 'private', '.git/config (built in): git runs commands that it names'],
  [
    'team/hooks/pre-commit',
    'private',
    'private',
    "team/hooks (built in): the host's git config, or a link under a protected name, leads to it",
  ],
  [
    'sub/.git/',
    'private',
    'private',
    'sub/.git (built in): a repository that is made inside belongs to this sandbox: no git of the host meets it',
  ],
])('%s: read %s, write %s', async (path, read, write, rule) => {
  using host = project();
  await using served = await serveFolder(host.path, { hide: [{ text: '.env', source }] });
  linkSync(join(host.path, 'deep/.env'), join(host.path, 'copy'));
  const explained = await explainPath(served.root, served, path);
  expect([explained.read.verdict, explained.write.verdict]).toEqual([read, write]);
  expect(explained.lines).toContain(`rule: ${rule}`);
  expect((await new Attacker(served).read(path.replace(/\/$/, ''))) === 'secret').toBe(false);
});
