/** Relates paths by their text. */

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The path below `root`, or undefined when it lies elsewhere. */
export function below(root: string, path: string): string | undefined {
  return path !== root && isInside(path, root) ? path.slice(root.length + 1) : undefined;
}
