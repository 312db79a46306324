import { expect, test } from 'vitest';
import type { SandboxStats } from '../../../../lib/api/sandbox-stats.ts';
import { statsTable, withRates } from '../../../../lib/cli/view/stats-table.ts';

const MIB = 1024 ** 2;

function stats(about: Partial<SandboxStats> = {}): SandboxStats {
  return {
    id: 'x1',
    name: 'review',
    project: 'shop',
    state: 'running',
    atMs: 10_000,
    cpus: 2,
    host: { cpuMs: 5_000, memoryBytes: 300 * MIB },
    guest: {
      cpuMs: 4_000,
      memoryUsedBytes: 200 * MIB,
      memoryBytes: 512 * MIB,
      diskUsedBytes: 900 * MIB,
      diskBytes: 2048 * MIB,
      processes: 12,
    },
    diskBytes: 5 * MIB,
    network: { connections: 1, allowed: 3, denied: 0, failed: 0, bytesUp: 2_048, bytesDown: 4_096 },
    ...about,
  };
}

const later = stats({
  atMs: 12_000,
  host: { cpuMs: 8_000, memoryBytes: 300 * MIB },
  guest: { ...stats().guest, cpuMs: 4_500 } as SandboxStats['guest'],
  network: { connections: 1, allowed: 3, denied: 0, failed: 0, bytesUp: 4_048, bytesDown: 4_096 },
});

test('rates are of the time between two readings; 100 % is one processor', () => {
  expect(withRates([stats()], [later])[0]?.rates).toEqual({
    hostCpuPercent: 150,
    guestCpuPercent: 25,
    upBytesPerSecond: 1_000,
    downBytesPerSecond: 0,
  });
});

const UNKNOWN = { hostCpuPercent: null, guestCpuPercent: null, upBytesPerSecond: null, downBytesPerSecond: null };

test.each([
  ['for the first reading', [], later],
  ['after a start or with a new daemon, whose counts begin again', [later], stats({ atMs: 14_000, network: null })],
  ['in no time', [stats()], stats()],
  ['for another sandbox', [stats({ id: 'x2' })], later],
])('%s there are none', (_, before, now) => {
  expect(withRates(before, [now])[0]?.rates).toEqual(UNKNOWN);
});

test('a guest that says it was busier than any processor can be has a bounded rate', () => {
  const guest = { ...later.guest, cpuMs: Number.MAX_SAFE_INTEGER } as SandboxStats['guest'];
  expect(withRates([stats()], [{ ...later, guest }])[0]?.rates.guestCpuPercent).toBe(1_000_000);
});

test('the table: what is known, `-` for the rest, projects where there are several', () => {
  const stopped = stats({ id: 'x2', name: 'old', state: 'stopped', host: null, guest: null, network: null });
  const [head, first, second] = statsTable(withRates([stats()], [later, stopped])).split('\n');
  expect(head?.split(/ {2,}/)).toEqual([
    'NAME',
    'CPU',
    'CPU INSIDE',
    'MEMORY',
    'MEMORY INSIDE',
    'DISK',
    'DISK INSIDE',
    'SENT',
    'RECEIVED',
    'CONNECTIONS',
    'PROCESSES',
  ]);
  expect(first?.split(/ {2,}/)).toEqual([
    'review',
    '150.0%',
    '25.0%',
    '300.0 MiB',
    '200.0 MiB of 512.0 MiB',
    '5.0 MiB',
    '900.0 MiB of 2.0 GiB',
    '4.0 KiB',
    '4.0 KiB',
    '1',
    '12',
  ]);
  expect(second?.split(/ {2,}/)).toEqual(['old', ...Array(4).fill('-'), '5.0 MiB', ...Array(5).fill('-')]);
  expect(statsTable(withRates([], [later, { ...stopped, project: 'blog' }]))).toMatch(/^shop\/review .*\nblog\/old /m);
});
