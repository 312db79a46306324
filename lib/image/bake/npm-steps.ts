/** Steps of the guest for npm packages that the host fetched: unpack them and run their scripts. Pure. */
import type { BakeStep } from './bake-script.ts';
import { nameOf } from './npm-stage.ts';

/** Serial of the disk that is the tar */
export const NPM_DISK = 'sbx-npm';

/** Where npm keeps global packages inside */
const GLOBAL = '/usr/local/lib/node_modules';

/** `global`: another folder, in tests. */
export function stagedSteps(packages: string[], global = GLOBAL): BakeStep[] {
  const names = packages.map(nameOf);
  return [
    {
      title: `unpack ${packages.join(' ')}`,
      argv: ['/bin/sh', '-euc', UNPACK, 'sh', ...names],
      path: 'packages.npm',
    },
    {
      title: `run the install scripts of ${packages.join(' ')}`,
      argv: ['/bin/sh', '-euc', SCRIPTS, global, ...names],
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

/**
 * Folders with scripts that npm would have run, by the names that `npm rebuild` takes. The scripts of a package that is only an
 * optional dependency may fail: npm leaves it out then, which its rebuild does not.
 */
const FIND = `
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const root = process.argv[1];
const [found, required, optional] = [[], new Set(), new Set()];
function visit(dir, name) {
  let manifest = {};
  try { manifest = JSON.parse(readFileSync(dir + '/package.json', 'utf8')); } catch { return; }
  const { scripts = {}, dependencies = {}, optionalDependencies = {} } = manifest;
  for (const one of Object.keys(optionalDependencies)) optional.add(one);
  for (const one of Object.keys(dependencies)) if (!(one in optionalDependencies)) required.add(one);
  if (scripts.preinstall || scripts.install || scripts.postinstall || existsSync(dir + '/binding.gyp')) found.push([name, dir]);
  const below = dir + '/node_modules';
  if (!existsSync(below)) return;
  for (const entry of readdirSync(below)) {
    if (!entry.startsWith('@')) visit(below + '/' + entry, entry);
    else for (const inner of readdirSync(below + '/' + entry)) visit(below + '/' + entry + '/' + inner, entry + '/' + inner);
  }
}
for (const name of process.argv.slice(2)) { required.add(name); visit(root + '/' + name, name); }
for (const [name, dir] of found) console.log(required.has(name) || !optional.has(name) ? 'required' : 'optional', name, dir);
`;

/** `$0`: the folder of global packages; their names follow. Names of packages hold no spaces. */
const SCRIPTS = `
list=$(node -e '${FIND.replaceAll("'", `'\\''`)}' -- "$0" "$@")
rebuild() { npm rebuild --global --prefix "\${0%/lib/node_modules}" --foreground-scripts --no-audit --no-fund --no-update-notifier -- "$@"; }
required=$(printf '%s\\n' "$list" | sed -n 's/^required \\([^ ]*\\) .*/\\1/p')
if [ -n "$required" ]; then rebuild $required; fi
printf '%s\\n' "$list" | sed -n 's/^optional //p' | while read -r name dir; do
  rebuild "$name" </dev/null || { echo "$name is optional, and left out"; rm -rf -- "$dir"; }
done`;
