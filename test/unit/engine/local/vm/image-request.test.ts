import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadProject } from '../../../../../lib/config/load/load-project.ts';
import { imageRequestOf } from '../../../../../lib/engine/local/vm/image-request.ts';
import { hostFacts, makeProject } from '../../../config/project.ts';

async function requestOf(files: Record<string, string>) {
  const dir = await makeProject(files);
  const [spec] = (await loadProject({ cwd: join(dir, 'shop'), host: hostFacts() })).sandboxes;
  if (spec === undefined) throw new Error('no sandbox');
  return imageRequestOf(spec, {});
}

const agent = '[agent]\ncommand = ["mine"]\n[packages]\nnpm = ["mine@1.0.0"]\napt = ["jq"]\nsetup = ["mine --setup"]\n';

test('the packages of an agent’s template are apart from the project’s', async () => {
  const request = await requestOf({
    'shop/sandbox.toml': 'agent = "claude"\n[packages]\nnpm = ["typescript@5.9.3"]\napt = ["ripgrep"]\n',
  });
  expect(request.packages).toEqual({ apt: ['ripgrep'], npm: ['typescript@5.9.3'], pip: [], setup: [] });
  expect(request.agentPackages.npm).toEqual([expect.stringMatching(/^@anthropic-ai\/claude-code@/)]);
  expect(Object.keys(request.agentFiles)).toContain('~/.claude.json');
});

test('a template of one’s own counts as well, whatever its file is called', async () => {
  const request = await requestOf({
    'shop/sandbox.toml': 'extends = ["../team/base.toml", "../team/x.toml"]\n[packages]\napt = ["ripgrep"]\n',
    'team/base.toml': '[packages]\napt = ["git"]\n',
    'team/x.toml': agent,
  });
  expect(request.packages).toEqual({ apt: ['git', 'ripgrep'], npm: [], pip: [], setup: [] });
  expect(request.agentPackages).toEqual({ apt: ['jq'], npm: ['mine@1.0.0'], pip: [], setup: ['mine --setup'] });
});

test('a file that is only named like the agent gives the project’s packages', async () => {
  const request = await requestOf({
    'shop/sandbox.toml': 'agent = "claude"\nextends = ["../team/claude.toml"]\n',
    'team/claude.toml': '[packages]\napt = ["git"]\n',
  });
  expect(request.packages.apt).toEqual(['git']);
  expect(request.agentPackages.apt).toEqual([]);
});

test('packages beside an agent of the project’s own file are the project’s', async () => {
  const request = await requestOf({ 'shop/sandbox.toml': agent });
  expect(request.packages.npm).toEqual(['mine@1.0.0']);
  expect(request.agentPackages).toEqual({ apt: [], npm: [], pip: [], setup: [] });
});

test('each of several sandboxes has the layer of its own agent', async () => {
  const dir = await makeProject({
    'sandbox.toml': '[packages]\napt = ["git"]\n[sandboxes.a]\nagent = "claude"\n[sandboxes.b]\nagent = "codex"\n',
  });
  const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
  expect(sandboxes.map((spec) => imageRequestOf(spec, {}).agentPackages.npm[0]?.split('@')[1])).toEqual([
    'anthropic-ai/claude-code',
    'openai/codex',
  ]);
  expect(sandboxes.map((spec) => imageRequestOf(spec, {}).packages.apt)).toEqual([['git'], ['git']]);
});

test('a Docker engine is part of the image where the file asks for one', async () => {
  const requests = await Promise.all(
    ['', '[docker]\nenabled = false\n', '[docker]\nenabled = true\n'].map((toml) =>
      requestOf({ 'shop/sandbox.toml': toml }),
    ),
  );
  expect(requests.map(({ docker }) => docker)).toEqual([false, false, true]);
});
