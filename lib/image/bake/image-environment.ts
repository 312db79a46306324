/** Adds the variables of an image to those of a sandbox. Pure. */

/** The sandbox's own win, so that no image leads past the egress proxy; in `PATH`, the image's folders come first. */
export function withImageEnvironment(
  own: Record<string, string>,
  image: Record<string, string> | undefined,
): Record<string, string> {
  if (image === undefined) return own;
  const folders = [image['PATH'], own['PATH']].flatMap((path) => path?.split(':') ?? []);
  const path = [...new Set(folders.filter((folder) => folder.startsWith('/')))].join(':');
  return { ...image, ...own, ...(path === '' ? {} : { PATH: path }), ...(image['LANG'] && { LANG: image['LANG'] }) };
}
