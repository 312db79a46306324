/** Writes the generated files: JSON Schema, reference, list of security tests, list of rooms. With --check it fails when one on disk differs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withRooms } from './rooms-page.mjs';
import { renderSecurityTests } from './security-tests-page.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundle = await build({
  entryPoints: [join(root, 'lib/config/schema/generate.ts')],
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'warning',
});
const code = Buffer.from(bundle.outputFiles[0].contents).toString('base64');
const { renderJsonSchema, renderReference } = await import(`data:text/javascript;base64,${code}`);

const json = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));
const architecture = 'docs/architecture.md';
const files = {
  'schema/sandbox.schema.json': renderJsonSchema(),
  'docs/reference.md': renderReference(),
  'docs/security-tests.md': renderSecurityTests(json('test/unit/docs/security-tests.json')),
  [architecture]: withRooms(readFileSync(join(root, architecture), 'utf8'), json('scripts/rooms.json')),
};
const stale = Object.entries(files).filter(([name, text]) => read(join(root, name)) !== text);

if (process.argv.includes('--check')) {
  for (const [name] of stale) console.error(`${name} is not up to date: run \`npm run generate\``);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of stale) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
    console.log(`wrote ${name}`);
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
