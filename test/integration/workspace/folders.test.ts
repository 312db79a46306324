/** The folders of a project in a subfolder of its repository. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { servedFolders } from '../../../lib/workspace/folders.ts';
import { spec } from '../../unit/plan/spec.ts';

let base: string;
const at = (path: string) => join(base, path);

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-folders-')));
  for (const path of ['repo/.git', 'repo/app', 'repo/lib', 'data']) mkdirSync(at(path), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true }));

function served(guest: string) {
  const { workspace } = spec();
  const own = { ...workspace, path: at('repo/app'), repository: at('repo/.git'), repositoryTop: at('repo') };
  const mounts = [
    { host: at('data'), guest: at(guest), readonly: true, source: { file: at('sandbox.toml'), line: 1, column: 1 } },
  ];
  return servedFolders(spec({ workspace: own, mounts }), []);
}

test.each(['repo/lib', 'repo/app/new', 'elsewhere'])('a mount at %s is served', async (guest) => {
  expect((await served(guest)).guestMounts).toContainEqual({ source: 'm0', target: at(guest) });
});

test('a mount in the work tree around the project needs a folder there', async () => {
  await expect(served('repo/new')).rejects.toMatchObject({
    code: 'workspace',
    message: expect.stringContaining(at('repo/new')),
  });
});
