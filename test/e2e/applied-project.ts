import { afterAll, beforeAll } from 'vitest';
import { must, type Project, project } from './harness.ts';

/** Applies a project before the tests of a file or block and removes it after them. */
export function appliedProject(name: string, toml: string): Pick<Project, 'dir' | 'write'> {
  let applied: Project | undefined;
  const there = () => {
    if (applied === undefined) throw new Error('not before its tests');
    return applied;
  };
  beforeAll(async () => {
    applied = project(name, toml);
    await must(['apply', '--yes'], { cwd: applied.dir });
  });
  afterAll(async () => {
    await applied?.[Symbol.asyncDispose]();
  });
  return {
    get dir() {
      return there().dir;
    },
    write: (text) => there().write(text),
  };
}
