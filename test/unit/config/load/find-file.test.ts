import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findFile } from '../../../../lib/config/load/find-file.ts';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { failure, hostFacts, makeProject } from '../project.ts';

describe('finding', () => {
  test('the nearest file above is used, with the real path of its folder', async () => {
    const dir = await makeProject({ 'real/sandbox.toml': 'name = "outer"', 'real/a/b/x': '' });
    symlinkSync(join(dir, 'real'), join(dir, 'link'));
    const spec = await loadProject({ cwd: join(dir, 'link/a/b'), host: hostFacts() });
    expect(spec).toMatchObject({ name: 'outer', dir: join(dir, 'real') });
  });

  test('another file can be passed', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'name = "a"', 'other.toml': 'name = "b"' });
    expect(await loadProject({ cwd: dir, file: 'other.toml', host: hostFacts() })).toMatchObject({ name: 'b', dir });
  });

  test('no file: an error with a hint', async () => {
    const dir = await makeProject({});
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error).toMatchObject({ code: 'config-not-found', hint: expect.stringContaining('sbx init') });
  });

  test('a file of another user is rejected above the working directory, not in it', async () => {
    const dir = await makeProject({ 'sandbox.toml': '', 'sub/x': '' });
    const others = [12_345];
    expect(await findFile(dir, others)).toBe(join(dir, 'sandbox.toml'));
    expect(await findFile(join(dir, 'sub'))).toBe(join(dir, 'sandbox.toml'));
    expect(await failure(findFile(join(dir, 'sub'), others))).toMatchObject({
      message: expect.stringMatching(/another user/),
      place: { file: join(dir, 'sandbox.toml') },
    });
  });

  test('the working directory does not change', async () => {
    const before = process.cwd();
    await findFile(await makeProject({ 'sandbox.toml': '' }));
    expect(process.cwd()).toBe(before);
  });
});
