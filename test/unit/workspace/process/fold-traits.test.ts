/** Which names a file system of the host takes for one: what rules compare by. */
import { describe, expect, test } from 'vitest';
import { compileWorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { decideWorkspace } from '../../../../lib/workspace/policy/decide.ts';
import { type FoldTraits, foldOf } from '../../../../lib/workspace/policy/fold.ts';
import { foldTraits } from '../../../../lib/workspace/process/fold-traits.ts';

const [EXT4, TMPFS, OVERLAY, VFAT, NTFS3, EXFAT, FUSE, CIFS, NINE_P, NFS] = [
  0xef53, 0x01021994, 0x794c7630, 0x4d44, 0x7366746e, 0x2011bab0, 0x65735546, 0xff534d42, 0x01021997, 0x6969,
];
const CASEFOLD = 0x4000_0000;

function verdictOf(path: string, traits: FoldTraits): string {
  const none = { readonly: [], private: [], unprotect: [], configFiles: [] };
  const policy = compileWorkspacePolicy({
    ...none,
    hide: [{ text: '.env', source: 'default' }],
    fold: foldOf(traits),
  });
  return decideWorkspace(policy, { path, kind: 'file', operation: 'read', facts: { entry: () => 'file' } }).verdict;
}

describe('a host whose file system', () => {
  test('compares names exactly has no traits', () => {
    for (const type of [EXT4, TMPFS, OVERLAY]) expect(foldTraits({ type, flags: 0x80000 })).toEqual({});
    expect(foldTraits({ type: TMPFS, flags: undefined })).toEqual({});
  });

  test('folds case, or is not known to compare exactly, hides a file under each of its names', () => {
    for (const type of [VFAT, NTFS3, EXFAT, FUSE, CIFS, NINE_P, NFS, 0])
      for (const name of ['.ENV', '.Env', '.env.', '.env::$DATA', '.e\u200dnv'])
        expect([type, name, verdictOf(name, foldTraits({ type, flags: 0 }))]).toEqual([type, name, 'hidden']);
    const traits = foldTraits({ type: EXT4, flags: CASEFOLD });
    for (const name of ['.ENV', '.E\u200dnv']) expect(verdictOf(name, traits)).toBe('hidden');
  });

  test('the twin: without its traits it would be read under another name', () => {
    for (const name of ['.ENV', '.env.', '.env::$DATA']) expect(verdictOf(name, {})).toBe('pass');
  });
});
