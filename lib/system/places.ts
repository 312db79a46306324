/** Every name that decides where a path leads. */
import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, sep } from 'node:path';

const LINKS_MAX = 40;

/**
 * From `/` on: each folder and each link on the way, also where they lead to nothing yet; the last one is where it ends. Links are followed as the
 * system does, so `..` after one leads to the folder above its target. `path`: absolute.
 */
export function placesOf(path: string): string[] {
  const names = namesIn(path);
  const places = ['/'];
  let at = '/';
  for (let links = 0; names.length > 0; ) {
    const name = names.shift() ?? '';
    const place = name === '..' ? dirname(at) : join(at, name);
    places.push(place);
    const target = links < LINKS_MAX ? linkTarget(place) : undefined;
    if (target === undefined) {
      at = place;
      continue;
    }
    links += 1;
    if (isAbsolute(target)) at = '/';
    names.unshift(...namesIn(target));
  }
  return [...new Set([...places, at].reverse())].reverse();
}

function namesIn(path: string): string[] {
  return path.split(sep).filter((name) => name !== '' && name !== '.');
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
