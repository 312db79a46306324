/** Bundles the command line, the daemon and the guest agent into dist/. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  loader: { '.pl': 'text', '.sh': 'text' },
  minifySyntax: true,
  legalComments: 'none',
  // The keyring and koffi are native modules.
  // cosmiconfig would load TypeScript for files that are refused: it has no place in the bundle.
  external: ['typescript', '@napi-rs/keyring', 'koffi'],
};
/** ES modules in parts: `chunks`, beside the entry, are loaded when a dynamic import needs them. */
const modules = {
  ...common,
  format: 'esm',
  splitting: true,
  // CommonJS dependencies in an ES module bundle look for these names.
  banner: {
    js: "import { createRequire as __sbxRequire } from 'node:module'; const require = __sbxRequire(import.meta.url); import { fileURLToPath as __sbxFile } from 'node:url'; import { dirname as __sbxDir } from 'node:path'; const __filename = __sbxFile(import.meta.url); const __dirname = __sbxDir(__filename);",
  },
};

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });
// All parts in one folder: code takes the folder of the bundles from its own place.
await build({
  ...modules,
  entryPoints: ['lib/cli/main.ts'],
  outdir: 'dist/cli',
  minifyWhitespace: true,
  chunkNames: '[name]-[hash]',
});
await build({
  ...modules,
  entryPoints: {
    daemon: 'lib/daemon/main.ts',
    'load-worker': 'lib/daemon/load-worker.ts',
    'workspace-server': 'lib/workspace/process/main.ts',
  },
  outdir: 'dist',
  entryNames: '[name]',
  chunkNames: 'chunks/[name]-[hash]',
});
await build({
  ...common,
  entryPoints: ['lib/guest/agent/main.ts'],
  outfile: 'dist/guest/agent.cjs',
  format: 'cjs',
  target: 'node24',
  external: ['@lydell/node-pty'],
});

// An entry names its chunks by their hashes: its own bytes change with any of theirs.
const hash = createHash('sha256');
for (const name of [
  'dist/daemon.js',
  'dist/load-worker.js',
  'dist/workspace-server.js',
  'dist/guest/agent.cjs',
  'dist/cli/main.js',
])
  hash.update(readFileSync(name));
writeFileSync(
  'dist/build.json',
  JSON.stringify({
    build: hash.digest('hex').slice(0, 16),
    version: JSON.parse(readFileSync('package.json', 'utf8')).version,
  }),
);
