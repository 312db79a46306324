/** Bundles the command line, the daemon and the guest's agent into dist/. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  minifySyntax: true,
  legalComments: 'none',
  // The keyring is a native module.
  // cosmiconfig would load it for TypeScript files, which are refused: it has no place in the bundle.
  external: ['typescript', '@napi-rs/keyring'],
};
// CommonJS dependencies in an ES module bundle look for these names.
const banner = {
  js: "import { createRequire as __sbxRequire } from 'node:module'; const require = __sbxRequire(import.meta.url); import { fileURLToPath as __sbxFile } from 'node:url'; import { dirname as __sbxDir } from 'node:path'; const __filename = __sbxFile(import.meta.url); const __dirname = __sbxDir(__filename);",
};

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });
const entries = Object.fromEntries(
  [
    ['cli', 'lib/cli/main.ts'],
    ['daemon', 'lib/daemon/main.ts'],
  ].filter(([, file]) => existsSync(file)),
);
await build({
  ...common,
  entryPoints: entries,
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  banner,
});
await build({
  ...common,
  entryPoints: ['lib/guest/agent/main.ts'],
  outfile: 'dist/guest/agent.cjs',
  format: 'cjs',
  target: 'node24',
  external: ['@lydell/node-pty'],
});

const hash = createHash('sha256');
for (const name of ['dist/daemon.js', 'dist/guest/agent.cjs']) if (existsSync(name)) hash.update(readFileSync(name));
writeFileSync(
  'dist/build.json',
  JSON.stringify({
    build: hash.digest('hex').slice(0, 16),
    version: JSON.parse(readFileSync('package.json', 'utf8')).version,
  }),
);
