/** The file of an organisation's policy: what counts as one, and what of its text is refused. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SbxError } from '../../../lib/errors.ts';
import { readOrganisation } from '../../../lib/organisation/policy-file.ts';

/** The tests do not run as root everywhere: the file may belong to who runs them. */
const OWNER = process.getuid?.() ?? 0;
const OTHER = 4242;
let dir: string;
let file: string;

beforeEach(() => {
  // Its folders belong to this user alone.
  dir = mkdtempSync(join(homedir(), '.sbx-policy-'));
  mkdirSync(join(dir, 'sbx'));
  file = join(dir, 'sbx/policy.toml');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (text: string) => writeFileSync(file, text, { mode: 0o644 });
const read = () => readOrganisation(file, OWNER);

function refusal(act: () => unknown = read): SbxError {
  try {
    act();
  } catch (error) {
    if (error instanceof SbxError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('the policy of an organisation', () => {
  test('is none where there is no file, also without its folder', () => {
    expect(read().file).toBeUndefined();
    rmSync(join(dir, 'sbx'), { recursive: true });
    expect(read()).toMatchObject({ file: undefined, deny: [], forbid: [], limits: {} });
  });

  test('has a place for each of its rules', () => {
    write(
      'version = 1\napprove = "never"\nforbid = ["docker", "mounts"]\n[network]\ndeny = [\n  "paste.test",\n  "**.upload.test:443",\n]\n[limits]\ncpus = 4\nmemory = "4GiB"\n',
    );
    expect(read()).toEqual({
      file,
      neverApproves: { file, line: 2, column: 11 },
      forbid: [
        { name: 'docker', place: { file, line: 3, column: 11 } },
        { name: 'mounts', place: { file, line: 3, column: 21 } },
      ],
      deny: [
        { pattern: 'paste.test', text: 'paste.test', file, line: 6 },
        { pattern: '**.upload.test:443', text: '**.upload.test:443', file, line: 7 },
      ],
      limits: {
        cpus: { most: 4, text: '4', place: { file, line: 10, column: 8 } },
        memory: { most: 4 * 1024 ** 3, text: '4GiB', place: { file, line: 11, column: 10 } },
      },
    });
  });

  test('is read again when it changes, and is gone when it is removed', () => {
    write('version = 1\n[network]\ndeny = ["a.test"]\n');
    expect(read().deny).toHaveLength(1);
    write('version = 1\n[network]\ndeny = ["a.test", "b.test"]\n');
    expect(read().deny).toHaveLength(2);
    rmSync(file);
    expect(read().deny).toEqual([]);
  });

  test.each([
    ['not TOML', 'version = \n', 'config-syntax'],
    ['without a version', 'approve = "ask"\n', 'config-invalid'],
    ['of a later version', 'version = 2\n', 'config-invalid'],
    ['with an unknown key', 'version = 1\n[network]\ndenny = []\n', 'config-invalid'],
    ['with an unknown rule', 'version = 1\nforbid = ["dokcer"]\n', 'config-invalid'],
    ['with a preset', 'version = 1\n[network]\ndeny = ["preset:npm"]\n', 'config-invalid'],
    ['with a limit without a unit', 'version = 1\n[limits]\nmemory = 4\n', 'config-invalid'],
    ['with a host that is none', 'version = 1\n[network]\ndeny = ["https://a.test/"]\n', 'config-invalid'],
  ])('%s is refused with its place, each time', (_what, text, code) => {
    write(text);
    for (let round = 0; round < 2; round += 1)
      expect(refusal()).toMatchObject({ code, place: { file, line: expect.any(Number) } });
  });

  test('suggests the key that was meant', () => {
    write('version = 1\n[limit]\ncpus = 1\n');
    expect(refusal().hint).toBe('did you mean "limits"?');
  });

  test('that others can write, or a folder of it, is refused', () => {
    write('version = 1\n');
    for (const path of [file, join(dir, 'sbx'), dir]) {
      const { mode } = statSync(path);
      chmodSync(path, mode | 0o020);
      expect(refusal().why).toBe(`others than root can write ${path}`);
      chmodSync(path, mode);
    }
    expect(read().file).toBe(file);
  });

  test('of another user is refused', () => {
    write('version = 1\n');
    if (OWNER === 0) chownSync(file, OTHER, OTHER);
    expect(refusal(() => readOrganisation(file, 0)).why).toMatch(/belongs to the user \d+, not to root/);
  });

  test('behind a link counts where the link leads, and who can write there is asked', () => {
    const real = join(dir, 'real');
    mkdirSync(real);
    writeFileSync(join(real, 'policy.toml'), 'version = 1\nforbid = ["docker"]\n');
    symlinkSync(join(real, 'policy.toml'), file);
    expect(read().forbid).toHaveLength(1);
    chmodSync(real, 0o777);
    expect(refusal().why).toBe(`others than root can write ${real}`);
  });

  test('that leads nowhere, or is no file, is refused: a policy was meant', () => {
    symlinkSync(join(dir, 'none'), file);
    expect(refusal().why).toBe('ENOENT');
    rmSync(file);
    mkdirSync(file);
    expect(refusal().why).toMatch(/is not a file$/);
  });
});
