import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Entry {
  optionalDependencies?: Record<string, string>;
}
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Entry> };

/** The folders where Node would look for a package imported from `path`, nearest first */
function placesOf(path: string, name: string): string[] {
  const parts = path === '' ? [''] : ['', ...path.split(/\/?(?=node_modules\/)/)];
  return parts.map((_, index) => [...parts.slice(1, parts.length - index), `node_modules/${name}`].join('/'));
}

it('the lockfile holds the optional packages of every platform, so that npm ci accepts it everywhere', () => {
  const wanted = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => ({ path, name })),
  );
  expect(wanted.length).toBeGreaterThan(50);
  expect(wanted.filter(({ path, name }) => !placesOf(path, name).some((place) => place in packages))).toEqual([]);
});
