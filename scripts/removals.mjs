/** Fails on a removal whose path goes up: once a file is moved, or a folder has another depth, it removes the wrong one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const REMOVAL = /\b(?:rm|rmSync|rmdir|rmdirSync|unlink|unlinkSync|removeTree)\([^;]*?['"`](?:\.\/)?\.\.(?:\/|['"`])/g;

/** The line of each such removal in a text */
export function findUpwards(text) {
  return [...text.matchAll(REMOVAL)].map(({ index }) => text.slice(0, index).split('\n').length);
}

/** @returns one line for each in the code and the tests of the repository at `root` */
export function checkRemovals(root = '.') {
  const list = ['ls-files', '-co', '--exclude-standard', '--', 'lib', 'bin', 'scripts', 'bench', 'test'];
  const files = execFileSync('git', list, { encoding: 'utf8', cwd: root }).split('\n');
  return files
    .filter((file) => /\.(?:ts|mjs)$/.test(file) && existsSync(join(root, file)))
    .flatMap((file) =>
      findUpwards(readFileSync(join(root, file), 'utf8')).map(
        (line) => `${file}:${line}: a removal goes up by "..": remove a folder by the path that it was made with`,
      ),
    );
}
