/** Indexes paths that something on the host names. */

/** Paths with all their parent folders, for questions that cost one look each. */
export interface PathIndex {
  /** Rules by folded path */
  paths: ReadonlyMap<string, string>;
  parents: ReadonlySet<string>;
}

/** `fold` is the one of the policy. The workspace itself is left out: it cannot be protected as a whole. */
export function indexPaths(named: readonly string[], fold: (name: string) => string): PathIndex {
  const paths = new Map<string, string>();
  const parents = new Set<string>();
  for (const path of named) {
    const names = path
      .split('/')
      .filter((name) => name !== '' && name !== '.')
      .map(fold);
    if (names.length === 0) continue;
    paths.set(names.join('/'), path);
    for (let length = 1; length < names.length; length += 1) parents.add(names.slice(0, length).join('/'));
  }
  return { paths, parents };
}
