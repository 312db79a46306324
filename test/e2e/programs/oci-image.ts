/** Makes images of containers with the distribution's own tools, umoci and skopeo, and pushes them to a registry. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ImageLayout {
  /** An empty folder */
  dir: string;
  name: string;
  /** Of the lowest layer */
  tar: string;
}

const umoci = (...args: string[]) => execFileSync('umoci', args, { stdio: 'pipe' });

/** Returns the image as umoci names it: `folder:tag`. */
export function makeImage({ dir, name, tar }: ImageLayout): string {
  const layout = join(dir, name);
  const image = `${layout}:1`;
  umoci('init', '--layout', layout);
  umoci('new', '--image', image);
  umoci('raw', 'add-layer', '--image', image, tar);
  return image;
}

/** A further layer: files with their content; `undefined` removes one of a lower layer. */
export function addLayer(image: string, dir: string, files: Record<string, string | undefined>): void {
  const tree = join(dir, 'tree');
  mkdirSync(tree, { recursive: true });
  for (const [index, [path, content]] of Object.entries(files).entries()) {
    const file = join(tree, String(index));
    if (content === undefined) umoci('insert', '--rootless', '--image', image, '--whiteout', path);
    else {
      writeFileSync(file, content);
      umoci('insert', '--rootless', '--image', image, file, path);
    }
  }
}

export function configure(image: string, options: string[]): void {
  umoci('config', '--image', image, ...options);
}

/** `to`: host, repository and tag; plain HTTP. */
export function pushImage(image: string, to: string, login: { user: string; password: string }): void {
  const creds = ['--dest-tls-verify=false', '--dest-creds', `${login.user}:${login.password}`];
  execFileSync('skopeo', ['copy', '--insecure-policy', ...creds, `oci:${image}`, `docker://${to}`], { stdio: 'pipe' });
}
