import { describe, expect, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { hostFacts, load, makeProject } from '../project.ts';

const GIB = 1024 ** 3;

describe('sandboxes', () => {
  test('names: the key, numbered if `count` is set', async () => {
    const spec = await load('name = "shop"\n[sandboxes.dev]\n[sandboxes.review]\ncount = 2');
    expect(spec.name).toBe('shop');
    expect(spec.sandboxes.map(({ name }) => name)).toEqual(['dev', 'review-1', 'review-2']);
  });

  test('each overrides the fields of the project, with its own places', async () => {
    const spec = await load(
      '[resources]\ncpus = 1\nmemory = "4GiB"\n[network]\nallow = ["a.test"]\n[sandboxes.x.resources]\ncpus = 4\n[sandboxes.x.network]\nallow = ["b.test"]\n[sandboxes.y]',
    );
    const [x, y] = spec.sandboxes;
    expect(x?.resources).toMatchObject({ cpus: 4, memoryBytes: 4 * GIB });
    expect(x?.sources['resources.cpus']).toMatchObject({ line: 7 });
    expect(x?.sources['resources.memory']).toMatchObject({ line: 3 });
    expect(x?.network.allow.map(({ text }) => text)).toEqual(['a.test', 'b.test']);
    expect(x?.sources['network.allow[1]']).toMatchObject({ line: 9, column: 10 });
    expect(y?.resources.cpus).toBe(1);
    expect(y?.network.allow).toHaveLength(1);
  });

  test('a sandbox with its own agent inherits nothing of the project’s agent', async () => {
    const dir = await makeProject({
      'sandbox.toml':
        'extends = ["./base.toml"]\nagent = "shell"\n[sandboxes.a]\n[sandboxes.b.agent]\ncommand = ["b"]\n[sandboxes.c]\nextends = ["./c.toml"]',
      'base.toml': '[env]\nBASE = "1"',
      'c.toml': '[env]\nC = "1"',
    });
    const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
    expect(sandboxes.map(({ agent }) => agent.name)).toEqual(['shell', undefined, 'shell']);
    expect(sandboxes[1]?.agent.command).toEqual(['b']);
    expect(sandboxes[2]?.env).toEqual({ BASE: '1', C: '1' });
  });
});
