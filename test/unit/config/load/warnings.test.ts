/** What is valid in a file, but not what its author means: a warning with its line. */
import { expect, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { hostFacts, makeProject } from '../project.ts';

async function warnings(files: Record<string, string>): Promise<string[]> {
  const dir = await makeProject(files);
  const { warnings: found = [] } = await loadProject({ cwd: dir, host: hostFacts() });
  return found.map(({ message }) => message.replaceAll(`${dir}/`, ''));
}

test.each([
  [
    'a readonly path that is not there',
    '[workspace]\nreadonly = ["docs", "none/x"]',
    'workspace.readonly: none/x does not exist in the workspace (sandbox.toml:2)',
  ],
  [
    'an unprotected path that is not there',
    '[workspace]\nunprotect = [\n".vscode"]',
    'workspace.unprotect: .vscode does not exist in the workspace (sandbox.toml:3)',
  ],
  [
    'more cpus than the host has',
    '[resources]\ncpus = 9',
    'resources.cpus: 9 are more than the 8 of this host (sandbox.toml:2)',
  ],
  [
    'more memory than the host has',
    '[resources]\nmemory = "17GiB"',
    'resources.memory: 17.0 GiB are more than the 16.0 GiB of this host (sandbox.toml:2)',
  ],
  [
    'a variable in a variable',
    `[env]\nA = "1"\nB = "x:\${HOME}"`,
    `env.B: \${HOME} is not expanded, and reaches the sandbox as it is (sandbox.toml:3)`,
  ],
  [
    'one port of the host for two sandboxes',
    '[[ports]]\nguest = 3000\n[[ports]]\nguest = 4000\nauto = true\n[sandboxes.a]\ncount = 2',
    'ports: a-1 and a-2 both want port 3000 of this host: write auto = true (sandbox.toml:1)',
  ],
  [
    'every site under .com',
    '[network]\nallow = ["a.test", "*.com"]',
    'network.allow: *.com allows every site under .com: name the domain that is meant (sandbox.toml:2)',
  ],
  [
    'every site under .co.uk',
    '[network]\nallow = ["**.co.uk:443"]',
    'network.allow: **.co.uk:443 allows every site under .co.uk: name the domain that is meant (sandbox.toml:2)',
  ],
])('%s', async (_what, text, message) => {
  expect(await warnings({ 'sandbox.toml': text, 'docs/x': '' })).toEqual([message]);
});

test('once for all sandboxes of a file', async () => {
  const text = '[env]\nA = "$HOME"\n[sandboxes.one]\n[sandboxes.two]\ncount = 3';
  expect(await warnings({ 'sandbox.toml': text })).toEqual([
    'env.A: $HOME is not expanded, and reaches the sandbox as it is (sandbox.toml:2)',
  ]);
});

test('a template that names the project or its sandboxes', async () => {
  const files = { 'sandbox.toml': 'extends = ["./t.toml"]', 't.toml': 'name = "x"\n\n[sandboxes.a]\ncount = 2' };
  expect(await warnings(files)).toEqual([
    '`name` of a template is ignored: write it in sandbox.toml (t.toml:1)',
    '[sandboxes] of a template is ignored: write it in sandbox.toml (t.toml:3)',
  ]);
});

test('nothing else', async () => {
  const text =
    '[workspace]\nreadonly = ["docs", "*.none"]\n[network]\nallow = ["*.github.com", "**.example.co.uk", "com"]\n[env]\nPRICE = "5$"\n[resources]\ncpus = 8\nmemory = "16GiB"';
  expect(await warnings({ 'sandbox.toml': text, 'docs/x': '' })).toEqual([]);
});
