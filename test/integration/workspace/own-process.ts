/** Bundles a program of the tests, so that it runs as a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The command line's first words, and the environment that it needs */
export interface OwnProgram extends Disposable {
  argv: string[];
  env: NodeJS.ProcessEnv;
}

export async function ownProgram(entry: string): Promise<OwnProgram> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-program-'));
  const outfile = join(dir, 'program.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    target: 'node20.19',
    platform: 'node',
    format: 'esm',
    loader: { '.pl': 'text' },
    banner: { js: "import { createRequire as own } from 'node:module'; const require = own(import.meta.url);" },
    logLevel: 'error',
  });
  return {
    argv: [process.execPath, outfile],
    // Native parts are found from any folder.
    env: { ...process.env, NODE_PATH: fileURLToPath(new URL('../../../node_modules', import.meta.url)) },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
