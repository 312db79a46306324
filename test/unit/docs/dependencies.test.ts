/** Each dependency is pinned, and has its reason in the docs. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
const docs = read('docs/dependencies.md');

test('every version is exact, and the lockfile has it', () => {
  const lock = JSON.parse(read('package-lock.json')).packages as Record<string, { version: string }>;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect([name, lock[`node_modules/${name}`]?.version]).toEqual([name, version]);
  }
});

test('the table of the docs has each dependency with a reason, and no other', () => {
  const rows = docs.split('\n').flatMap((line) => /^\| (`.+`) \| .+ \|$/.exec(line)?.[1] ?? []);
  const named = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(named.toSorted()).toEqual(Object.keys(dependencies ?? {}).toSorted());
});

test('the tools of development are named with what they are for', () => {
  for (const name of Object.keys(devDependencies ?? {}))
    expect(docs).toContain(name.startsWith('@types/') ? '`@types/*`' : `\`${name}\``);
});

test('each tool that the set-up installs from the distribution is named', () => {
  const packages = [...read('bin/setup.mjs').matchAll(/^ {2}'?[\w-]+'?: '([\w-]+)',$/gm)].map(([, name]) => name);
  expect(packages.length).toBeGreaterThan(10);
  for (const name of new Set(packages)) expect(docs).toContain(`\`${name}\``);
});
