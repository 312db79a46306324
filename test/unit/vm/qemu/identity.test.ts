import { describe, expect, test } from 'vitest';
import { tscKhzOf } from '../../../../lib/vm/qemu/accel.ts';
import { identityOf } from '../../../../lib/vm/qemu/identity.ts';
import type { QemuFacts } from '../../../../lib/vm/qemu/process/args.ts';

const FACTS: QemuFacts = { accel: 'tcg', version: '7.2.22', tscKhz: 2_596_136, translationCacheMib: 64 };
const identity = (change: Partial<QemuFacts> = {}) => identityOf(process.execPath, { ...FACTS, ...change });

describe('what a snapshot depends on', () => {
  test('changes with the accelerator, the version, the code cache, the counter, the program', () => {
    const all = [
      identity(),
      identity({ accel: 'kvm' }),
      identity({ version: '10.0.2' }),
      identity({ translationCacheMib: 16 }),
      identity({ tscKhz: 2_100_000 }),
      identity({ tscKhz: undefined }),
      identityOf('/bin/sh', FACTS),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('is the same where the counter was measured a little differently', () => {
    expect(identity({ tscKhz: 2_596_128 })).toBe(identity());
  });
});

const cpuinfo = (flags: string, mhz: string, bogomips: string) =>
  `processor\t: 0\ncpu MHz\t\t: ${mhz}\nflags\t\t: fpu tsc ${flags} sse\nbogomips\t: ${bogomips}\n`;

describe('the rate of the counter', () => {
  test('is not how fast the processor runs just now', () => {
    expect(tscKhzOf(cpuinfo('constant_tsc nonstop_tsc', '800.000', '5192.27'))).toBe(2_596_135);
  });

  test.each([
    ['a counter that follows the processor', cpuinfo('nonstop_tsc', '2596.136', '5192.27')],
    ['a counter that stops', cpuinfo('constant_tsc', '2596.136', '5192.27')],
    ['another architecture', 'processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n'],
    ['nothing', ''],
  ])('is not known of %s', (_what, text) => {
    expect(tscKhzOf(text)).toBeUndefined();
  });
});
