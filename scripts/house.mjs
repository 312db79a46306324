/** Checks the structure of the source tree (`npm run house`), then prints its figures beside those from before the rooms. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BEFORE, edgesBetweenRooms, importsOf, measure, readTree, roomOf } from './figures.mjs';
import { checkRemovals } from './removals.mjs';
import { checkWords } from './words.mjs';

const own = fileURLToPath(new URL('..', import.meta.url));

/** @returns one line or report for each fault of the tree at `root`; none if it is sound */
export function checkHouse(root) {
  return [
    ...checkImports(root),
    ...checkRooms(root),
    ...checkWords(undefined, root),
    ...checkRemovals(root),
    ...checkExports(root),
  ];
}

/** Forbidden imports between rooms, and cycles of files and of rooms */
export function checkImports(root) {
  const places = ['lib', 'bench'].filter((place) => existsSync(join(root, place)));
  const program = 'dependency-cruiser/bin/dependency-cruise.mjs';
  return report(program, ['--config', '.dependency-cruiser.cjs', ...places], root);
}

/** Rooms missing from scripts/rooms.json; listed rooms without files, and allowed imports that no file uses */
export function checkRooms(root) {
  const listed = JSON.parse(readFileSync(join(root, 'scripts/rooms.json'), 'utf8'));
  const files = readTree(root);
  const rooms = new Set([...files.keys()].map(roomOf).filter((room) => room !== ''));
  const used = edgesBetweenRooms(importsOf(files));
  return [
    ...[...rooms].filter((room) => !(room in listed)).map((room) => `lib/${room} is missing from scripts/rooms.json`),
    ...Object.keys(listed)
      .filter((room) => !rooms.has(room))
      .map((room) => `scripts/rooms.json lists ${room}, which has no files`),
    ...Object.entries(listed).flatMap(([room, allowed]) =>
      allowed
        .filter((other) => !used.get(room)?.has(other))
        .map((other) => `scripts/rooms.json allows ${room} → ${other}, which no file imports`),
    ),
  ];
}

/** Unused files, exports and dependencies */
export function checkExports(root) {
  return report('knip/bin/knip.js', ['--directory', root], root);
}

/** @returns what the program printed, if it failed */
function report(program, args, cwd) {
  const command = [join(own, 'node_modules', program), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return status === 0 ? [] : [`${stdout}${stderr}`.trim()];
}

/** Each figure of before and of now, aligned */
function table(before, now) {
  const rows = [['', 'before', 'now'], ...Object.keys(now).map((name) => [name, before[name], now[name]])];
  return rows.map(([name, old, value]) => `${name.padEnd(46)}${old.padStart(16)}${value.padStart(16)}\n`).join('');
}

if (import.meta.filename === process.argv[1]) {
  const root = resolve(process.argv[2] ?? own);
  const faults = checkHouse(root);
  process.stdout.write(faults.map((fault) => `${fault}\n`).join(''));
  process.stdout.write(`\n${table(BEFORE, measure(root))}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
