import { describe, expect, test } from 'vitest';
import { processorOf, tscKhzOf } from '../../../../lib/vm/qemu/cpuinfo.ts';
import { identityOf } from '../../../../lib/vm/qemu/identity.ts';
import type { QemuFacts } from '../../../../lib/vm/qemu/process/args.ts';

const FACTS: QemuFacts = {
  accel: 'tcg',
  version: '7.2.22',
  tscKhz: 2_596_136,
  processor: 'model: 1',
  translationCacheMib: 64,
};
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

  test('changes with the processor of the host where a guest sees it, and only there', () => {
    const other = { processor: 'model: 2' };
    expect(identity({ accel: 'kvm', ...other })).not.toBe(identity({ accel: 'kvm' }));
    expect(identity(other)).toBe(identity());
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

describe('the processor that a guest sees', () => {
  const text = (mhz: string, flags = 'fpu svm') =>
    `processor\t: 0\nvendor_id\t: A\ncpu family\t: 23\nmodel\t\t: 1\nmodel name\t: An EPYC: 7\nstepping\t: 2\ncpu MHz\t\t: ${mhz}\nflags\t\t: ${flags}\n\nprocessor\t: 1\n`;

  test('is its model and its features, not how fast it runs just now', () => {
    expect(processorOf(text('800.000'))).toBe(
      'vendor_id: A\ncpu family: 23\nmodel: 1\nmodel name: An EPYC: 7\nstepping: 2\nflags: fpu svm',
    );
    expect(processorOf(text('2596.136'))).toBe(processorOf(text('800.000')));
    expect(processorOf(text('800.000', 'fpu svm avx512f'))).not.toBe(processorOf(text('800.000')));
  });

  test('is empty where nothing is known', () => {
    expect(processorOf('')).toBe('');
  });
});
