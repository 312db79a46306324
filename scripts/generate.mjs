/**
 * Writes the generated files: JSON Schema, reference, manual pages, completion scripts, list of security tests, list of rooms.
 * With --check it fails when one on disk differs, or when one too many is there.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withRooms } from './rooms-page.mjs';
import { renderSecurityTests } from './security-tests-page.mjs';

/** What commands import when they run is not needed to describe them. */
const LAZY = {
  name: 'lazy',
  setup: (build) =>
    build.onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    ),
};
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { renderJsonSchema, renderReference } = await load('lib/config/schema/generate.ts');
const { renderManual, renderCompletions } = await load('lib/man/generate.ts');

const read = (name) => readFileSync(join(root, name), 'utf8');
const json = (name) => JSON.parse(read(name));
const architecture = 'docs/architecture.md';
const files = {
  'schema/sandbox.schema.json': renderJsonSchema(),
  'docs/reference.md': renderReference(),
  ...below('man', renderManual(manualSources())),
  ...below('completions', renderCompletions()),
  'docs/security-tests.md': renderSecurityTests(json('test/unit/docs/security-tests.json')),
  [architecture]: withRooms(read(architecture), json('scripts/rooms.json')),
};
/** Every file in them is generated. */
const OWN_FOLDERS = ['man', 'completions'];
const stale = Object.entries(files).filter(([name, text]) => existing(name) !== text);
const surplus = OWN_FOLDERS.flatMap((folder) => entriesOf(folder).map((name) => `${folder}/${name}`)).filter(
  (name) => !Object.hasOwn(files, name),
);

if (process.argv.includes('--check')) {
  for (const [name] of stale) console.error(`${name} is not up to date: run \`npm run generate\``);
  for (const name of surplus) console.error(`${name} is not generated any more: run \`npm run generate\``);
  process.exitCode = stale.length + surplus.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of stale) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
    console.log(`wrote ${name}`);
  }
  for (const name of surplus) {
    rmSync(join(root, name));
    console.log(`removed ${name}`);
  }
}

/** Bundles a module of lib/ and imports it. */
async function load(entry) {
  const bundle = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'warning',
    target: 'node20.19',
    plugins: [LAZY],
  });
  const code = Buffer.from(bundle.outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}

function manualSources() {
  return {
    version: json('package.json').version,
    commands: read('docs/commands.md'),
    upgrade: read('docs/upgrade-and-uninstall.md'),
    example: read('examples/hello/sandbox.toml'),
  };
}

function below(folder, files) {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
}

function existing(name) {
  try {
    return read(name);
  } catch {
    return undefined;
  }
}

function entriesOf(folder) {
  try {
    return readdirSync(join(root, folder));
  } catch {
    return [];
  }
}
