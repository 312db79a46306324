import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkOwnFolder } from '../../../lib/system/own-folder.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-own-'));
  mkdirSync(join(dir, 'home/sbx'), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The first group of `/etc/passwd` that is not root's */
const daemonGroup = () =>
  Number(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':')[3])
      .find((gid) => gid !== undefined && gid !== '0'),
  );
const state = () => join(dir, 'home/sbx');

describe('a state folder', () => {
  test('of the user alone is accepted, also before it exists and below a sticky folder of everybody', () => {
    chmodSync(dir, 0o1777);
    expect(() => checkOwnFolder(state())).not.toThrow();
    expect(() => checkOwnFolder(join(dir, 'home/none/yet'))).not.toThrow();
  });

  test.each([
    ['itself', 'home/sbx', 0o777],
    ['itself, sticky', 'home/sbx', 0o1777],
    ['its parent', 'home', 0o757],
  ])('that every user can write is refused: %s', (_name, path, mode) => {
    chmodSync(join(dir, path), mode);
    expect(() => checkOwnFolder(state())).toThrow(/not safe from other users/);
  });

  test.skipIf(process.getuid?.() !== 0)('that a group can write is refused unless nobody else is in the group', () => {
    chmodSync(state(), 0o775);
    expect(() => checkOwnFolder(state())).not.toThrow();
    // Of another user, and of nobody in the files
    for (const gid of [daemonGroup(), 54_321]) {
      chownSync(state(), 0, gid);
      expect(() => checkOwnFolder(state())).toThrow(/not safe/);
      chmodSync(state(), 0o755);
      expect(() => checkOwnFolder(state())).not.toThrow();
      chmodSync(state(), 0o775);
    }
  });

  test.skipIf(process.getuid?.() !== 0)('could be changed by another user, if it were not refused', () => {
    const write = () =>
      spawnSync('setpriv', ['--reuid=12345', '--regid=12345', '--clear-groups', 'touch', join(state(), 'x')]).status;
    for (const folder of [dir, join(dir, 'home'), state()]) chmodSync(folder, 0o755);
    expect(() => checkOwnFolder(state())).not.toThrow();
    expect(write()).not.toBe(0);
    chmodSync(state(), 0o777);
    expect(() => checkOwnFolder(state())).toThrow(/not safe/);
    expect(write()).toBe(0);
  });

  test('behind a link is checked on both ways', () => {
    symlinkSync(join(dir, 'home'), join(dir, 'link'));
    expect(() => checkOwnFolder(join(dir, 'link/sbx'))).not.toThrow();
    chmodSync(join(dir, 'home'), 0o777);
    expect(() => checkOwnFolder(join(dir, 'link/sbx'))).toThrow(/not safe/);
  });

  test('is checked where a relative link below a linked folder leads', () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    mkdirSync(join(dir, 'a/c/sbx'), { recursive: true });
    symlinkSync(join(dir, 'a/b'), join(dir, 'link'));
    // Of `a/c`, not of `c`
    symlinkSync('../c/sbx', join(dir, 'a/b/state'));
    const path = join(dir, 'link/state');
    expect(() => checkOwnFolder(path)).not.toThrow();
    chmodSync(join(dir, 'a/c'), 0o777);
    expect(() => checkOwnFolder(path)).toThrow(/not safe/);
    // It is what a write by that path reaches.
    writeFileSync(join(path, 'x'), '');
    expect(existsSync(join(dir, 'a/c/sbx/x'))).toBe(true);
  });

  test('is not a sticky folder of everybody, also by a link', () => {
    chmodSync(state(), 0o1777);
    symlinkSync(state(), join(dir, 'link'));
    expect(() => checkOwnFolder(join(dir, 'link'))).toThrow(/not safe/);
    // As a folder above it is one.
    expect(() => checkOwnFolder(join(dir, 'link/own'))).not.toThrow();
  });

  test('is checked where a link leads that ends in nothing yet', () => {
    symlinkSync(join(dir, 'home/none'), join(dir, 'link'));
    expect(() => checkOwnFolder(join(dir, 'link/sbx'))).not.toThrow();
    chmodSync(join(dir, 'home'), 0o777);
    expect(() => checkOwnFolder(join(dir, 'link/sbx'))).toThrow(/not safe/);
  });

  test.skipIf(process.getuid?.() !== 0)('of another user, or with a parent or link of another user, is refused', () => {
    chownSync(state(), 12_345, 12_345);
    expect(() => checkOwnFolder(state())).toThrow(/not safe/);
    chownSync(state(), 0, 0);
    chownSync(join(dir, 'home'), 12_345, 0);
    expect(() => checkOwnFolder(state())).toThrow(/not safe/);
  });
});
