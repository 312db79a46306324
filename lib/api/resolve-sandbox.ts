/** Resolves a name on the command line to a sandbox. Pure. */
import { dirname } from 'node:path';
import { SbxError } from '../errors.ts';

export interface Known {
  id: string;
  name: string;
  project: string;
  projectDir: string;
}

/** The folder's own project: the nearest folder upwards that has a sandbox.toml, or had one when it was applied. */
export function projectDirOf(
  cwd: string,
  all: readonly Known[],
  hasFile: (dir: string) => boolean,
): string | undefined {
  const applied = new Set(all.map(({ projectDir }) => projectDir));
  for (let dir = cwd; ; dir = dirname(dir)) {
    if (applied.has(dir) || hasFile(dir)) return dir;
    if (dir === dirname(dir)) return undefined;
  }
}

/**
 * A bare name means this project's sandbox; elsewhere it must be the only one of its name, or be written PROJECT/NAME. An id is a name, too:
 * it finds what no name can tell apart. Without a name: the project's only one.
 * @throws SbxError `not-found`, `ambiguous-name`
 */
export function chooseSandbox<T extends Known>(
  all: readonly T[],
  projectDir: string | undefined,
  name: string | undefined,
): T {
  const own = all.filter((one) => one.projectDir === projectDir);
  if (name === undefined) return onlyOne(own, projectDir);
  const slash = name.indexOf('/');
  const [project, bare] = slash < 0 ? [undefined, name] : [name.slice(0, slash), name.slice(slash + 1)];
  const matching = (list: readonly T[]) =>
    list.filter((one) => one.name === bare && (project === undefined || one.project === project));
  const byName = matching(own).length > 0 ? matching(own) : matching(all);
  const found = byName.length > 0 ? byName : all.filter(({ id }) => id === name);
  const [only, ...more] = found;
  if (only === undefined) throw unknown(name, all);
  if (more.length > 0)
    throw new SbxError('ambiguous-name', `more than one sandbox is named "${name}"`, {
      why: found.map((one) => `${one.project}/${one.name} of ${one.projectDir} (${one.id})`).join(', '),
      hint: 'write PROJECT/NAME or the id, or say --project with the folder',
    });
  return only;
}

function onlyOne<T extends Known>(own: readonly T[], projectDir: string | undefined): T {
  const [only, ...more] = own;
  if (only === undefined)
    throw new SbxError('not-found', 'this folder has no sandbox', {
      why: projectDir === undefined ? 'no sandbox.toml is here or above' : `${projectDir} was not applied`,
      hint:
        projectDir === undefined
          ? 'run `sbx init`, then `sbx apply`; or name one of `sbx ls`'
          : 'run `sbx apply` first, or name one of `sbx ls`',
    });
  if (more.length > 0)
    throw new SbxError('ambiguous-name', 'this project has more than one sandbox', {
      why: `there are ${own.length}, and none is named`,
      hint: `name one: ${own.map((one) => one.name).join(', ')}`,
    });
  return only;
}

function unknown(name: string, all: readonly Known[]): SbxError {
  const [first] = all;
  return new SbxError('not-found', `no sandbox named "${name}"`, {
    why:
      first === undefined
        ? 'there is none at all'
        : `there are: ${all.map((one) => `${one.project}/${one.name}`).join(', ')}`,
    hint:
      first === undefined ? 'run `sbx apply` in a project' : `name one of them, such as ${first.project}/${first.name}`,
  });
}
