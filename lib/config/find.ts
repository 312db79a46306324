/** Finds sandbox.toml from a folder upwards. Reading a project's file must never run anything of the project. */
import { cosmiconfig, type Loader } from 'cosmiconfig';
import { SbxError } from '../errors.ts';

const NAME = 'sandbox.toml';

const refuse: Loader = (path) => {
  throw new SbxError('config-invalid', `${path} is not read`, {
    why: 'only sandbox.toml is; code from a project never runs while it is loaded',
    hint: 'move the settings into sandbox.toml',
  });
};

/** Absolute path of the file, or undefined. */
export async function findFile(cwd: string): Promise<string | undefined> {
  const explorer = withoutMetaConfig(() =>
    cosmiconfig('sbx', {
      searchPlaces: [NAME],
      stopDir: '/',
      searchStrategy: 'global',
      cache: false,
      mergeSearchPlaces: false,
      ignoreEmptySearchPlaces: false,
      // Every other loader throws; this one gives the place only: the text is parsed by lib/config/parse.ts.
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
  return (await explorer.search(cwd))?.filepath;
}

/** cosmiconfig looks for a configuration of its own in the working directory and would run it (`.config/config.js`). At `/` there is none. */
function withoutMetaConfig<T>(make: () => T): T {
  const cwd = process.cwd();
  try {
    process.chdir('/');
    return make();
  } finally {
    process.chdir(cwd);
  }
}
