/** What a private layer holds is listed and shown without a change, whatever a guest put into it. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { showChange } from '../../../../lib/workspace/changes/diff-text.ts';
import { type PrivateChange, readLayer } from '../../../../lib/workspace/changes/read-layer.ts';

const [RECORD, CONTAINER] = [0o1600, 0o1700];

let dir: string;
const layer = (path = '') => join(dir, 'layer', path);
const host = (path = '') => join(dir, 'host', path);

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-changes-')));
  for (const folder of [layer(), host()]) mkdirSync(folder);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(path: string, content: string | Buffer, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

function container(...names: string[]): void {
  for (const name of names) {
    mkdirSync(layer(name), { recursive: true });
    chmodSync(layer(name), CONTAINER);
  }
}

async function list(isWhole: (path: string) => boolean = () => false) {
  await using tree = await Folder.open(layer());
  return await readLayer(tree, { isWhole });
}

async function show(path: string, kind: PrivateChange['kind'] = 'file') {
  await using tree = await Folder.open(layer());
  await using root = await Folder.open(host());
  const change = (await list()).changes.find((one) => one.path === path);
  expect(change).toMatchObject({ path, kind });
  return change === undefined ? '' : (await showChange(change, { layer: tree, host: root })).diff;
}

describe('a private layer', () => {
  test('is listed with parents first, and without the folders that only lead further', async () => {
    container('.git', 'a');
    put(layer('.git/config'), 'x');
    put(layer('.git/hooks'), '', RECORD);
    put(layer('a/pipe'), 'special 010644 0\n', RECORD);
    symlinkSync('/etc/passwd', layer('a/link'));
    put(layer('made/in/side'), 'text');
    const { changes, isPartial } = await list();
    expect(changes.map(({ path, kind }) => [path, kind])).toEqual([
      ['.git/config', 'file'],
      ['.git/hooks', 'removed'],
      ['a/link', 'link'],
      ['a/pipe', 'special'],
      ['made', 'folder'],
      ['made/in', 'folder'],
      ['made/in/side', 'file'],
    ]);
    expect(isPartial).toBe(false);
  });

  test('sums up folders that are shown as one', async () => {
    for (const name of ['a', 'b/c']) put(layer(`node_modules/${name}`), '12345');
    expect((await list((path) => path === 'node_modules')).changes).toEqual([
      { path: 'node_modules', kind: 'folder', size: 10, files: 2 },
    ]);
  });

  test('is counted up to a bound, that of a repository made inside, too, and without what is left out', async () => {
    for (let at = 0; at < 20; at += 1) {
      put(layer(`node_modules/${at}`), 'x');
      put(layer(`repo/.git/${at}`), 'x');
    }
    await using tree = await Folder.open(layer());
    const isWhole = (path: string) => path === 'repo/.git';
    const isLeftOut = (path: string) => path === 'node_modules';
    const bounded = await readLayer(tree, { isWhole, isLeftOut, countMax: 10 });
    expect(bounded.isPartial).toBe(true);
    const files = bounded.changes.map((one) => one.files).reduce((sum, one) => sum + one, 0);
    expect(files).toBeGreaterThan(0);
    expect(files).toBeLessThan(10);
    const whole = await readLayer(tree, { isWhole, isLeftOut, countMax: 100 });
    expect(whole.isPartial).toBe(false);
    expect(whole.changes).toContainEqual({ path: 'repo/.git', kind: 'folder', size: 20, files: 20 });
    expect(whole.changes.filter(({ path }) => path.startsWith('node_modules'))).toEqual([]);
  });

  test('of which nothing is changed by reading', async () => {
    put(layer('locked/x'), 'x', 0o400);
    chmodSync(layer('locked'), 0o500);
    const before = statSync(layer('locked')).ctimeMs;
    await show('locked/x');
    expect([statSync(layer('locked')).ctimeMs, readdirSync(layer())]).toEqual([before, ['locked']]);
  });

  test('deeper than any tree of a project is read in part, and it is said', async () => {
    mkdirSync(layer(Array.from({ length: 300 }, () => 'd').join('/')), { recursive: true });
    const { changes, isPartial } = await list();
    expect(isPartial).toBe(true);
    expect(changes.length).toBeLessThan(300);
  });

  test('reached through a link is not read', async () => {
    put(join(dir, 'elsewhere/secret'), 'x');
    symlinkSync(join(dir, 'elsewhere'), layer('tree'));
    await using top = await Folder.open(layer());
    await expect(top.enter('tree')).rejects.toThrow();
    // The twin: its path alone would lead there.
    expect(existsSync(layer('tree/secret'))).toBe(true);
  });
});

describe('a change', () => {
  test('is a unified diff against the file of the host', async () => {
    container('.git');
    put(host('.git/config'), 'one\ntwo\n');
    put(layer('.git/config'), 'one\n2\n');
    expect(await show('.git/config')).toBe('--- a/.git/config\n+++ b/.git/config\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n');
  });

  test('of a file that the host does not have, of bytes, and of none', async () => {
    put(layer('new'), 'x\n');
    put(layer('bytes'), Buffer.from([0, 1, 2]));
    put(host('same'), 'same');
    put(layer('same'), 'same');
    expect(await show('new')).toBe('--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n');
    expect(await show('bytes')).toBe('binary file: bytes (3 bytes)\n');
    expect(await show('same')).toBe('');
  });

  test('is never compared with what lies behind a link of the workspace', async () => {
    put(join(dir, 'elsewhere/file'), 'secret\n');
    symlinkSync(join(dir, 'elsewhere'), host('a'));
    symlinkSync(join(dir, 'elsewhere/file'), host('b'));
    container('a');
    put(layer('a/file'), 'mine\n');
    put(layer('b'), 'mine\n');
    expect(await show('a/file')).not.toContain('secret');
    expect(await show('b')).not.toContain('secret');
    // The twin: a folder in its place is compared.
    rmSync(host('a'));
    put(host('a/file'), 'secret\n');
    expect(await show('a/file')).toContain('-secret');
  });

  test('has a name that cannot steer a terminal or pretend to be another line', async () => {
    put(layer('a\n+++ b/x\u001b[31m'), 'x\n');
    const text = await show('a\n+++ b/x\u001b[31m');
    expect(text.split('\n').filter((line) => line.startsWith('+++'))).toHaveLength(1);
    expect(text).not.toContain('\u001b');
  });

  test('of a large file is its size', async () => {
    put(layer('large'), Buffer.alloc(2 << 20, 'x'));
    expect(await show('large')).toBe(`large file: large (${2 << 20} bytes)\n`);
  });
});
