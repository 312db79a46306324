import fc from 'fast-check';
import { expect, test } from 'vitest';
import { killsIn, limitsOf, memoryTotal } from '../../../../../lib/guest/agent/process/limits.ts';

const MIB = 1024 ** 2;

test('a small guest keeps a quarter for itself, a large one little', () => {
  expect(limitsOf(480 * MIB)).toEqual({
    memoryBytes: 369 * MIB,
    commandBytes: Math.floor((369 * MIB * 15) / 16 / 4096) * 4096,
    processes: 3072,
    commandProcesses: 1024,
  });
  const large = limitsOf(16 * 1024 * MIB);
  expect(large.memoryBytes).toBe((16 * 1024 - 96 - 512) * MIB);
  expect(large.commandBytes).toBe(large.memoryBytes - 64 * MIB);
  expect(large.commandProcesses).toBe(16_384);
});

test('of any memory, the commands get less than all and one command less than that', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16 * MIB, max: 2 ** 42 }), (total) => {
      const { memoryBytes, commandBytes, processes, commandProcesses } = limitsOf(total);
      expect(memoryBytes).toBeLessThan(total);
      expect(memoryBytes).toBeGreaterThan(total / 3);
      expect(commandBytes).toBeLessThan(memoryBytes);
      expect(commandProcesses).toBeLessThan(processes);
    }),
  );
});

test('reads what the kernel counts', () => {
  expect(memoryTotal('MemTotal:         482012 kB\nMemFree: 1 kB\n')).toBe(482_012 * 1024);
  expect(() => memoryTotal('')).toThrow('MemTotal');
  expect(killsIn('low 0\noom 7\noom_kill 3\noom_group_kill 1\n')).toBe(3);
  expect(killsIn('')).toBe(0);
});
