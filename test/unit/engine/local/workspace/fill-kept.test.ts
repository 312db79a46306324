import { describe, expect, test } from 'vitest';
import { foldersToFill } from '../../../../../lib/engine/local/workspace/fill-kept.ts';

describe('a kept folder gets what the image has in it', () => {
  test('once for each disk', () => {
    const filled = { generation: 2, folders: ['.a', '.b'] };
    expect(foldersToFill(['.a', '.b'], 2, undefined)).toEqual(['.a', '.b']);
    expect(foldersToFill(['.a', '.b'], 2, filled)).toEqual([]);
    expect(foldersToFill(['.a', '.b'], 3, filled)).toEqual(['.a', '.b']);
  });

  test('when it is added', () => {
    expect(foldersToFill(['.a', '.c'], 2, { generation: 2, folders: ['.a'] })).toEqual(['.c']);
  });
});
