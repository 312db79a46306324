/** What the guest does with npm packages that were fetched outside of it: unpack them, and run their scripts. Pure. */
import type { BakeStep } from './bake-script.ts';
import { nameOf } from './npm-stage.ts';

/** Serial of the disk that is the tar */
export const NPM_DISK = 'sbx-npm';

export function stagedSteps(packages: string[]): BakeStep[] {
  const names = packages.map(nameOf);
  return [
    {
      title: `unpack ${packages.join(' ')}`,
      argv: ['/bin/sh', '-euc', UNPACK, 'sh', ...names],
      path: 'packages.npm',
    },
    {
      title: `run the install scripts of ${packages.join(' ')}`,
      argv: ['/bin/sh', '-euc', SCRIPTS, 'sh', ...names],
      path: 'packages.npm',
    },
  ];
}

/** As npm does, a new version replaces the whole folder of an earlier one. */
const UNPACK = `
for disk in /sys/block/vd*; do
  if [ "$(cat "$disk/serial")" = ${NPM_DISK} ]; then tar=/dev/\${disk##*/}; fi
done
mkdir -p /usr/local/lib/node_modules
for name; do rm -rf -- "/usr/local/lib/node_modules/$name"; done
tar -xf "$tar" -C /usr/local --no-overwrite-dir`;

/** Folders with scripts that npm would have run, by the names that \`npm rebuild\` knows them by. */
const FIND = `
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const found = new Set();
function visit(dir, name) {
  let scripts = {};
  try { scripts = JSON.parse(readFileSync(dir + '/package.json', 'utf8')).scripts ?? {}; } catch { return; }
  if (scripts.preinstall || scripts.install || scripts.postinstall || existsSync(dir + '/binding.gyp')) found.add(name);
  const below = dir + '/node_modules';
  if (!existsSync(below)) return;
  for (const entry of readdirSync(below)) {
    if (!entry.startsWith('@')) visit(below + '/' + entry, entry);
    else for (const inner of readdirSync(below + '/' + entry)) visit(below + '/' + entry + '/' + inner, entry + '/' + inner);
  }
}
for (const name of process.argv.slice(1)) visit('/usr/local/lib/node_modules/' + name, name);
process.stdout.write([...found].join('\\n'));
`;

const SCRIPTS = `
names=$(node -e '${FIND.replaceAll("'", `'\\''`)}' -- "$@")
if [ -n "$names" ]; then
  # Names of packages hold no spaces.
  npm rebuild --global --prefix /usr/local --foreground-scripts --no-audit --no-fund --no-update-notifier -- $names
fi`;
