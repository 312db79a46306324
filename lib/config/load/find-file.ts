/** Finds sandbox.toml from a folder upwards. Looking at a project must never run anything of it. */
import { lstat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { cosmiconfig, type Loader } from 'cosmiconfig';
import { SbxError } from '../../errors.ts';

export const FILE_NAME = 'sandbox.toml';

/** Absolute path of the nearest one, or undefined. `owners`: users whose file counts also above the working directory. */
export async function findFile(cwd: string, owners = trustedUsers()): Promise<string | undefined> {
  const start = resolve(cwd);
  const explorer = makeExplorer();
  for (let dir = start; ; dir = dirname(dir)) {
    const file = join(dir, FILE_NAME);
    if (await isThere(file, dir === start ? undefined : owners)) {
      if ((await explorer.search(dir)) === null) throw unreadable(file);
      return file;
    }
    if (dir === dirname(dir)) return undefined;
  }
}

/** @throws SbxError for what bears the name but must not be read. */
async function isThere(file: string, owners: number[] | undefined): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) return false;
  // Above the working directory, a folder of that name is some folder.
  if (found.isDirectory() && owners !== undefined) return false;
  const place = { file, line: 1, column: 1 };
  if (found.isSymbolicLink())
    throw new SbxError('config-invalid', `${file} is a symbolic link`, {
      place,
      why: 'what it points to could be written by the agent: only the file itself is protected',
      hint: 'replace the link by the file',
    });
  // Opening a pipe or a device would wait for ever.
  if (!found.isFile())
    throw new SbxError('config-invalid', `${file} is not a file`, { place, hint: 'remove it, or run `sbx init`' });
  if (owners !== undefined && !owners.includes(found.uid))
    throw new SbxError('config-invalid', `${file} belongs to another user`, {
      place,
      why: 'it was found above the working directory, where others may have put it',
      hint: 'go to its folder if you trust it, or run `sbx init` here',
    });
  return true;
}

function trustedUsers(): number[] {
  return [0, process.getuid?.() ?? 0, Number(process.env['SUDO_UID'] ?? 0)];
}

function unreadable(file: string): SbxError {
  return new SbxError('config-not-found', `${file} cannot be read`, {
    place: { file, line: 1, column: 1 },
    hint: 'check its permissions',
  });
}

/** Every loader but the one for TOML throws; that one gives nothing, so that `$import` is never seen: lib/config/load/parse.ts reads the text. */
function makeExplorer() {
  return withoutMetaConfig(() =>
    cosmiconfig('sbx', {
      searchPlaces: [FILE_NAME],
      // One folder at a time: the global strategy would look into the user's own settings too.
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
    why: `only ${FILE_NAME} is: code of a project never runs while it is loaded`,
    hint: `move the settings into ${FILE_NAME}`,
  });
};

/** cosmiconfig looks for settings of its own in the working directory and runs them (`.config/config.js`). At `/` a project has none. */
function withoutMetaConfig<T>(make: () => T): T {
  const cwd = currentFolder();
  process.chdir('/');
  try {
    return make();
  } finally {
    if (cwd !== undefined) process.chdir(cwd);
  }
}

/** Undefined when it was removed under us. */
function currentFolder(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}
