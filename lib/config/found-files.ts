/** What `sbx init` says of each file that it knows. Pure. */

export interface FoundFile {
  file: string;
  /** What the new sandbox.toml has from it, or why nothing */
  what: string;
  used: boolean;
}

/** Files that say more than init can turn into fields: the user decides */
const UNUSED: readonly [files: RegExp, what: string][] = [
  [/^(docker-)?compose(\..+)?\.ya?ml$/, 'its services run only with [docker] enabled = true'],
  [/^Dockerfile(\..+)?$/, 'the image is Debian: write what it installs into [packages]'],
  [/^\.devcontainer(\.json)?$/, '`sbx init --from-devcontainer` uses its image, features, ports and variables'],
  [
    /^(\.tool-versions|\.?mise\.toml|\.nvmrc|\.node-version|\.python-version|\.ruby-version|\.sdkmanrc)$/,
    'the versions are those of the image: a version manager in setup installs others',
  ],
  [/^(flake|shell)\.nix$/, 'nix is no part of the image'],
];

/** `names`: of the root folder. `used`: the patterns that gave something, with what. */
export function foundFiles(
  names: readonly string[],
  used: readonly { files: RegExp; language: string }[],
): FoundFile[] {
  return names.flatMap((file): FoundFile[] => {
    const sign = used.find(({ files }) => files.test(file));
    if (sign !== undefined) return [{ file, what: `packages and presets for ${sign.language}`, used: true }];
    const known = UNUSED.find(([files]) => files.test(file));
    return known === undefined ? [] : [{ file, what: known[1], used: false }];
  });
}
