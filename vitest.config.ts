import { defineConfig } from 'vitest/config';

const vm = {
  pool: 'forks',
  fileParallelism: false,
  testTimeout: 600_000,
  hookTimeout: 1_800_000,
  globalSetup: 'test/e2e/own-daemon.ts',
} as const;

/** As esbuild's loader `text` does it */
const scriptsAsText = {
  name: 'scripts-as-text',
  enforce: 'pre',
  transform: (code: string, id: string) =>
    /\.(pl|sh)$/.test(id) ? { code: `export default ${JSON.stringify(code)}`, map: null } : undefined,
} as const;

export default defineConfig({
  plugins: [scriptsAsText],
  test: {
    // Not the agent of who runs the tests
    env: { SSH_AUTH_SOCK: '' },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], pool: 'forks', testTimeout: 30_000 },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...vm } },
      { extends: true, test: { name: 'agents', include: ['test/agents/**/*.test.ts'], ...vm } },
      {
        extends: true,
        test: {
          name: 'hosts',
          include: ['test/hosts/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 1_800_000,
        },
      },
      { extends: true, test: { name: 'soak', include: ['test/soak/**/*.test.ts'], ...vm, testTimeout: 14_400_000 } },
    ],
  },
});
