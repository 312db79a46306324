/** Fails on a word that docs/glossary.md bans, with its file, line and the term to use instead. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PLACES = [
  'lib',
  'bin',
  'scripts',
  'templates',
  'schema',
  'examples',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
  'sandbox.toml.example',
];
/** The glossary names the words it bans; the other page is generated from the names of tests. */
const EXEMPT = new Set(['lib/state/migrate.ts', 'docs/glossary.md', 'docs/security-tests.md']);

/** Banned word → term, from the last column of the glossary's table. */
export function bannedWords(glossary) {
  const rows = glossary.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.flatMap(([, term, , banned = '']) =>
    [...banned.matchAll(/`([^`]+)`/g)].map(([, word]) => ({ word, term, pattern: patternOf(word) })),
  );
}

/** Also with a capital, and across the end of a line */
function patternOf(word) {
  return new RegExp(`(?<![\\w-])${word.replaceAll(' ', '\\s+(?:[*/#]+\\s*)?')}(?![\\w-])`, 'gi');
}

/** Each banned word in a text: `{ line, word, term }`. */
export function findBanned(text, banned) {
  return banned.flatMap(({ word, term, pattern }) =>
    [...text.matchAll(pattern)].map(({ index }) => ({ line: text.slice(0, index).split('\n').length, word, term })),
  );
}

/** @returns one line for each banned word in the files of the repository at `root` */
export function checkWords(paths = PLACES, root = '.') {
  const banned = bannedWords(readFileSync(join(root, 'docs/glossary.md'), 'utf8'));
  const list = ['ls-files', '-co', '--exclude-standard', '--', ...paths];
  const files = execFileSync('git', list, { encoding: 'utf8', cwd: root }).split('\n');
  return files
    .filter((file) => file !== '' && !EXEMPT.has(file) && existsSync(join(root, file)))
    .flatMap((file) =>
      findBanned(readFileSync(join(root, file), 'utf8'), banned).map(
        ({ line, word, term }) => `${file}:${line}: "${word}" is not used here: ${term}`,
      ),
    );
}

if (import.meta.filename === process.argv[1]) {
  const found = checkWords(process.argv.length > 2 ? process.argv.slice(2) : undefined);
  process.stdout.write(found.map((line) => `${line}\n`).join(''));
  process.exitCode = found.length === 0 ? 0 : 1;
}
