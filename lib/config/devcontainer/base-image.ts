/** Which base of sbx stands for the container image of a devcontainer.json. Pure. */

const SUITES = new Map([
  ['bookworm', 'debian:bookworm'],
  ['debian12', 'debian:bookworm'],
  ['trixie', 'debian:trixie'],
  ['debian13', 'debian:trixie'],
  ['jammy', 'ubuntu:jammy'],
  ['ubuntu22.04', 'ubuntu:jammy'],
  ['noble', 'ubuntu:noble'],
  ['ubuntu24.04', 'ubuntu:noble'],
]);
/** Images that are the distribution and little else */
const PLAIN = ['debian', 'ubuntu', 'base', 'base-debian', 'base-ubuntu'];

export interface BaseImage {
  base: string;
  /** Whether the image is no more than the distribution */
  isPlain: boolean;
}

/** Undefined for an image that does not name a release in its tag. */
export function baseImageOf(image: string): BaseImage | undefined {
  const [, repository, tag] = /(?:^|\/)([a-z0-9._-]+):([\w.-]+)$/.exec(image) ?? [];
  if (repository === undefined || tag === undefined) return undefined;
  const words = tag.split('-');
  const releases = words.flatMap((word, index) => [word, `${index === 0 ? repository : words[index - 1]}${word}`]);
  const base = releases.map((word) => SUITES.get(word)).find((found) => found !== undefined);
  return base === undefined ? undefined : { base, isPlain: PLAIN.includes(repository) };
}
