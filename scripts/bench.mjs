/** `npm run bench`: builds, then runs bench/main.ts. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const out = 'dist/bench.mjs';
mkdirSync('dist', { recursive: true });
await build({
  entryPoints: ['bench/main.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  outfile: out,
  packages: 'external',
  logLevel: 'error',
});
const { status } = spawnSync(process.execPath, [out, ...process.argv.slice(2)], { stdio: 'inherit' });
rmSync(out, { force: true });
process.exit(status ?? 1);
