/** Lists the mounts that a jail sees of the host, with the source of each. */
import { readFileSync } from 'node:fs';

export interface Shown {
  /** Where it stands in the jail */
  point: string;
  /** All its names on the host; of a part of the host that has none, its place on its disk; none at all: the jail's own file system */
  sources: string[];
  writable: boolean;
}

export interface Permitted {
  path: string;
  /** All that lies below as well */
  below?: boolean;
  writable?: boolean;
}

interface Mount {
  device: string;
  /** What is mounted, as seen from the top of its own file system */
  root: string;
  point: string;
  readonly: boolean;
}

/** `mountinfo`: of a process in the jail. */
export function shownBy(mountinfo: string): Shown[] {
  const host = parse(readFileSync('/proc/self/mountinfo', 'utf8'));
  return parse(mountinfo).map((mount) => ({
    point: mount.point,
    sources: namesOf(mount, host),
    writable: !mount.readonly,
  }));
}

/** What is shown of the host and not permitted, or writable and not permitted so. */
export function strangers(shown: Shown[], permitted: Permitted[]): Shown[] {
  const isPermitted = ({ sources, writable }: Shown) =>
    permitted.some(
      (one) =>
        (one.writable === true || !writable) &&
        sources.some((path) => path === one.path || (one.below === true && path.startsWith(`${one.path}/`))),
    );
  return shown.filter((one) => one.sources.length > 0 && !isPermitted(one));
}

/** A file system may be mounted at several places of the host, whole or in part. */
function namesOf({ device, root }: Mount, host: Mount[]): string[] {
  const same = host.filter((mount) => mount.device === device);
  if (same.length === 0) return [];
  const names = same.flatMap((mount) => {
    const rest = below(root, mount.root);
    return rest === undefined ? [] : [`${mount.point === '/' ? '' : mount.point}${rest}` || '/'];
  });
  return names.length > 0 ? names : [`${device} ${root}`];
}

/** What of `path` comes after `top`: empty where they are the same. */
function below(path: string, top: string): string | undefined {
  if (top === '/') return path === '/' ? '' : path;
  return path === top || path.startsWith(`${top}/`) ? path.slice(top.length) : undefined;
}

/** See proc(5). */
function parse(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, , device = '', root = '', point = '', options = ''] = line.split(' ').map(unescaped);
      return { device, root, point, readonly: options.split(',').includes('ro') };
    });
}

function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
