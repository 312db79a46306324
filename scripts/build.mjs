/** Bundles the command line, the daemon and the guest's agent into dist/. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
// One script, so that the machine code of all of it can be kept beside it.
await build({
  ...common,
  entryPoints: ['lib/cli/main.ts'],
  outfile: 'dist/cli.cjs',
  format: 'cjs',
  minifyWhitespace: true,
  // A script that is run from kept code cannot import.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': '__sbxUrl' },
  banner: { js: "const __sbxUrl = require('node:url').pathToFileURL(__filename).href;" },
});
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
for (const name of ['dist/daemon.js', 'dist/guest/agent.cjs']) if (existsSync(name)) hash.update(readFileSync(name));
writeFileSync(
  'dist/build.json',
  JSON.stringify({
    build: hash.digest('hex').slice(0, 16),
    version: JSON.parse(readFileSync('package.json', 'utf8')).version,
  }),
);
await keepCode();

/** A command runs once, against a daemon that knows no sandbox: V8 keeps the code that commands share. */
async function keepCode() {
  const home = mkdtempSync(join(tmpdir(), 'sbx-k-'));
  mkdirSync(join(home, 'daemon'));
  const server = createServer((_request, response) => response.end('[]'));
  await new Promise((resolve) => server.listen(join(home, 'daemon', 'sock'), resolve));
  const env = { ...process.env, SBX_HOME: home, SBX_KEEP_CODE: '1' };
  const child = spawn(process.execPath, ['bin/sbx', 'exec', '--', 'true'], { env, stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  server.close();
  server.closeAllConnections();
  rmSync(home, { recursive: true });
}
