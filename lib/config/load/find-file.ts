/** Finds sandbox.toml from a folder upwards, and never runs code of the project. */
import { lstat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { cosmiconfig, type Loader } from 'cosmiconfig';
import { SbxError } from '../../errors.ts';
import { checkSize } from '../toml/read-toml.ts';

const FILE_NAME = 'sandbox.toml';

/** Absolute path of the nearest one, or undefined. `owners`: users whose file is accepted above the working directory. */
export async function findFile(cwd: string, owners = trustedUsers()): Promise<string | undefined> {
  const start = resolve(cwd);
  const explorer = makeExplorer();
  for (let dir = start; ; dir = dirname(dir)) {
    const file = join(dir, FILE_NAME);
    if (await isPresent(file, dir === start ? undefined : owners)) {
      if ((await explorer.search(dir)) === null) throw unreadable(file);
      return file;
    }
    if (dir === dirname(dir)) return undefined;
  }
}

/** @throws SbxError for an entry of that name that must not be read. */
async function isPresent(file: string, owners: number[] | undefined): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) return false;
  // Above the working directory, a folder of that name is unrelated.
  if (found.isDirectory() && owners !== undefined) return false;
  const place = { file, line: 1, column: 1 };
  if (found.isSymbolicLink())
    throw new SbxError('config-invalid', `${file} is a symbolic link`, {
      place,
      why: 'the agent could write to the target of the link: only sandbox.toml itself is protected',
      hint: 'replace the link with the file',
    });
  // Opening a pipe or a device could block forever.
  if (!found.isFile())
    throw new SbxError('config-invalid', `${file} is not a file`, { place, hint: 'remove it, or run `sbx init`' });
  // cosmiconfig reads the whole file.
  checkSize(found.size, place);
  if (owners !== undefined && !owners.includes(found.uid))
    throw new SbxError('config-invalid', `${file} belongs to another user`, {
      place,
      why: 'a file above the working directory must belong to you or to root',
      hint: 'change to its folder if you trust it, or run `sbx init` here',
    });
  return true;
}

function trustedUsers(): number[] {
  return [0, process.getuid?.() ?? 0];
}

function unreadable(file: string): SbxError {
  return new SbxError('config-not-found', `${file} cannot be read`, {
    place: { file, line: 1, column: 1 },
    hint: 'check its permissions',
  });
}

/** Every loader except the one for TOML throws; that one returns no content, so that cosmiconfig never sees `$import`: read-table.ts reads the text. */
function makeExplorer() {
  return withoutMetaConfig(() =>
    cosmiconfig('sbx', {
      searchPlaces: [FILE_NAME],
      // One folder at a time: the global strategy would also search the user's own settings.
      searchStrategy: 'none',
      mergeSearchPlaces: false,
      ignoreEmptySearchPlaces: false,
      cache: false,
      loaders: {
        '.toml': () => ({}),
        '.js': refuse,
        '.cjs': refuse,
        '.mjs': refuse,
        '.ts': refuse,
        '.json': refuse,
        '.yaml': refuse,
        '.yml': refuse,
        noExt: refuse,
      },
    }),
  );
}

const refuse: Loader = (path) => {
  throw new SbxError('config-invalid', `${path} is not read`, {
    why: `sbx reads only ${FILE_NAME}: loading a project never runs its code`,
    hint: `move the settings into ${FILE_NAME}`,
  });
};

/** cosmiconfig loads and runs its own settings from the working directory (`.config/config.js`). A project has none at `/`. */
function withoutMetaConfig<T>(make: () => T): T {
  const cwd = currentFolder();
  // The daemon runs there, and a worker thread cannot change it.
  if (cwd === '/') return make();
  process.chdir('/');
  try {
    return make();
  } finally {
    if (cwd !== undefined) process.chdir(cwd);
  }
}

/** Undefined: it was removed meanwhile. */
function currentFolder(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}
