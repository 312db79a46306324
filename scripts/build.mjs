/** Bundles the command line, the daemon and the guest agent into dist/. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'rolldown';

// The keyring and koffi are native modules.
// cosmiconfig would load TypeScript for files that are refused: it has no place in the bundle.
const EXTERNAL = ['typescript', '@napi-rs/keyring', 'koffi'];
const common = {
  platform: 'node',
  moduleTypes: { '.pl': 'text', '.sh': 'text' },
  // @iarna/toml calls `eval('require')`, and does without where there is none.
  checks: { eval: false },
  logLevel: 'warn',
  // Its CommonJS files name their parts in a way that no bundler follows.
  resolve: { alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' } },
};
// Names stay for stack traces.
const written = { comments: false, minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } } };
/** ES modules in parts: what several entries and dynamic imports share is loaded once, and only when it is needed. */
const modules = {
  ...common,
  external: EXTERNAL,
  transform: { target: 'node20.19' },
};
// CommonJS dependencies in an ES module look for these names; the entry of the command line has none, and each of its parts is read at each start.
const NAMES =
  "import { fileURLToPath as __sbxFile } from 'node:url'; import { dirname as __sbxDir } from 'node:path'; const __filename = __sbxFile(import.meta.url); const __dirname = __sbxDir(__filename);";
const banner = ({ moduleIds }) => (moduleIds.some((id) => id.includes('/node_modules/')) ? NAMES : '');

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });
// All parts in one folder: code takes the folder of the bundles from its own place.
await build({
  ...modules,
  input: { main: 'lib/cli/main.ts' },
  output: { ...written, dir: 'dist/cli', format: 'esm', banner, chunkFileNames: '[name]-[hash].js' },
});
await build({
  ...modules,
  input: {
    daemon: 'lib/daemon/main.ts',
    'load-worker': 'lib/daemon/load-worker.ts',
    'mcp-gateway': 'lib/mcp/main.ts',
    'workspace-server': 'lib/workspace/process/main.ts',
  },
  output: { dir: 'dist', format: 'esm', banner, comments: false, chunkFileNames: 'chunks/[name]-[hash].js' },
});
await build({
  ...common,
  external: ['@lydell/node-pty'],
  transform: { target: 'node24' },
  input: 'lib/guest/agent/main.ts',
  output: { file: 'dist/guest/agent.cjs', format: 'cjs', comments: false },
});

// Run by the guest's Node, in a jail that has this one file.
await build({
  ...common,
  transform: { target: 'node24' },
  input: 'lib/image/oci/main.ts',
  output: { file: 'dist/merge-layers.mjs', format: 'esm', banner, comments: false },
});

// An entry names its chunks by their hashes: its own bytes change with any of theirs.
const hash = createHash('sha256');
for (const name of [
  'dist/daemon.js',
  'dist/load-worker.js',
  'dist/mcp-gateway.js',
  'dist/workspace-server.js',
  'dist/guest/agent.cjs',
  'dist/merge-layers.mjs',
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
