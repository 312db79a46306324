/** A host that has no watch left: in a user namespace of its own, whose limits are the test's to set. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Begins a watch over a folder and two files in folders below it, and says how that ended. */
const WATCHER = `
import { watchMounts } from './lib/workspace/mounts/watch-mounts.ts';
const [root] = process.argv.slice(2);
const mounts = [
  { source: root, target: '/export/ws', readonly: false },
  { source: root + '/a/x', target: '/export/ws/a/x', readonly: true },
  { source: root + '/b/x', target: '/export/ws/b/x', readonly: true },
];
try {
  watchMounts({ pid: process.pid, mounts, identities: {}, onRestored() {}, onFailed() {} });
  console.log('{"watched":true}');
} catch ({ code, message, why, hint }) {
  console.log(JSON.stringify({ code, message, why, hint }));
}
process.exit();
`;

let dir: string;
let bundle: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-unw-'));
  bundle = join(dir, 'watcher.mjs');
  for (const folder of ['a', 'b']) mkdirSync(join(dir, folder));
  await build({
    stdin: { contents: WATCHER, resolveDir: resolve('.'), loader: 'ts' },
    outfile: bundle,
    bundle: true,
    target: 'node20.19',
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A user like any other: what its file modes refuse is refused */
const WITHOUT_RIGHTS = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--'];

async function watching(limit: string, root = dir): Promise<object> {
  const script = `echo ${limit.replace('=', ' > /proc/sys/user/max_inotify_')} && exec "$@"`;
  const command = ['sh', '-c', script, 'sh', ...WITHOUT_RIGHTS, process.execPath, bundle, root];
  const { stdout } = await promisify(execFile)('unshare', ['--user', '--map-root-user', ...command]);
  return JSON.parse(stdout) as object;
}

test.each(['0=watches', '1=watches', '0=instances'])('%s: nothing runs unwatched', async (limit) => {
  expect(await watching(limit)).toEqual({
    code: 'workspace',
    message: 'the protected paths of the workspace cannot be watched',
    why: expect.stringMatching(/^no watch is left for .*\/[ab]: E(NOSPC|MFILE)/),
    hint: expect.stringContaining('fs.inotify.max_user_watches'),
  });
});

test('a folder that may be entered and not read: nothing runs unwatched', async () => {
  const root = mkdtempSync(join(tmpdir(), 'sbx-unr-'));
  for (const folder of ['a', 'b']) mkdirSync(join(root, folder));
  chmodSync(join(root, 'b'), 0o311);
  try {
    expect(await watching('9=watches', root)).toEqual({
      code: 'workspace',
      message: 'the protected paths of the workspace cannot be watched',
      why: expect.stringMatching(/\/b cannot be read: EACCES/),
      hint: 'make the folder readable for you',
    });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a watch for each folder is enough; a folder that is gone needs none', async () => {
  expect(await watching('2=watches')).toEqual({ watched: true });
  expect(await watching('2=watches', join(dir, 'gone'))).toEqual({ watched: true });
});
