import { defineConfig } from 'vitest/config';

const vm = {
  pool: 'forks',
  fileParallelism: false,
  testTimeout: 600_000,
  hookTimeout: 1_800_000,
  globalSetup: 'test/e2e/own-daemon.ts',
} as const;

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], pool: 'forks', testTimeout: 30_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...vm } },
      { test: { name: 'agents', include: ['test/agents/**/*.test.ts'], ...vm } },
      { test: { name: 'soak', include: ['test/soak/**/*.test.ts'], ...vm, testTimeout: 14_400_000 } },
    ],
  },
});
