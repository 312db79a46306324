import { expect, test } from 'vitest';
import { size } from '../../../../lib/cli/view/size.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [5 * 1024 ** 2, '5.0 MiB'],
  [1536 * 1024 ** 2, '1.5 GiB'],
  [2 ** 40, '1.0 TiB'],
  [2 ** 60, '1048576.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text);
});
