import { expect, test } from 'vitest';
import { homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { markerOf } from '../../../../../lib/vm/qemu/process/vm-process.ts';

test.each([
  ['/home/a', 'sbx-vm:/home/a/instances/i'],
  ['/home/a,b', 'sbx-vm:/home/a,,b/instances/i'],
  ['/home/a=b', 'guest=sbx-vm:/home/a=b/instances/i'],
  ['/home/a=b,process=c', 'guest=sbx-vm:/home/a=b,,process=c/instances/i'],
  ['/home/a,b=c', 'sbx-vm:/home/a,,b=c/instances/i'],
  ['/home/process=c', 'guest=sbx-vm:/home/process=c/instances/i'],
])('the state folder %s is one name to QEMU', (folder, marker) => {
  const paths = instancePaths(homeOf({ SBX_HOME: folder }), 'i');
  expect(markerOf(paths)).toBe(marker);
  expect(readName(marker)).toBe(`sbx-vm:${paths.dir}`);
});

/** Reads the value of `-name` as QEMU does. Undefined: it has another key than `guest`, or more options. */
function readName(text: string): string | undefined {
  const [, key = 'guest', value = ''] = /^(?:([^=,]*)=)?(.*)$/.exec(text) ?? [];
  const more = value.replaceAll(',,', '').includes(',');
  return key === 'guest' && !more ? value.replaceAll(',,', ',') : undefined;
}
