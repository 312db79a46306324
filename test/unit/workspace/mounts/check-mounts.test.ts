import { expect, test } from 'vitest';
import { parseMountInfo } from '../../../../lib/workspace/mounts/check-mounts.ts';

test('mount points with odd names, and the last of several on one', () => {
  const text = [
    '1 0 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '2 1 254:0 /a /export/ws/a\\040b\\134c rw,nosuid - ext4 /dev/vda rw',
    '3 1 254:0 /a /export/ws/\u00e4 rw,nosuid - ext4 /dev/vda rw',
    '4 3 254:0 /a /export/ws/\u00e4 ro,nosuid shared:1 - ext4 /dev/vda rw',
    '',
  ].join('\n');
  expect([...parseMountInfo(text)]).toEqual([
    ['/', false],
    ['/export/ws/a b\\c', false],
    ['/export/ws/\u00e4', true],
  ]);
});
