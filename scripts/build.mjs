/** Bundles the command line, the daemon and the guest's agent into dist/. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build, transform } from 'esbuild';
import { keepCode } from './keep-code.mjs';

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  loader: { '.pl': 'text', '.sh': 'text' },
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
const cliParts = await buildCli();
await build({
  ...common,
  entryPoints: ['lib/daemon/main.ts'],
  outdir: 'dist',
  entryNames: 'daemon',
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
for (const name of ['dist/daemon.js', 'dist/guest/agent.cjs', ...cliParts]) hash.update(readFileSync(name));
writeFileSync(
  'dist/build.json',
  JSON.stringify({
    build: hash.digest('hex').slice(0, 16),
    version: JSON.parse(readFileSync('package.json', 'utf8')).version,
  }),
);
await keepCode('dist/cli');

/**
 * The command line in parts that a command loads as it needs them. They are scripts: an ES module's code cannot be kept, and its loader takes
 * some milliseconds of every command. The bundler parts only modules, so that each part is made a script afterwards.
 */
async function buildCli() {
  const { outputFiles } = await build({
    ...common,
    entryPoints: { main: 'lib/cli/main.ts' },
    outdir: 'dist/cli',
    format: 'esm',
    splitting: true,
    chunkNames: '[name]-[hash]',
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.dirname': '__dirname' },
    write: false,
  });
  mkdirSync('dist/cli');
  for (const { path, text } of outputFiles) {
    const options = { format: 'cjs', target: common.target, minifyWhitespace: true, legalComments: 'none' };
    const { code } = await transform(text, { ...options, supported: { 'dynamic-import': false } });
    writeFileSync(path, code);
  }
  return outputFiles.map(({ path }) => path);
}
