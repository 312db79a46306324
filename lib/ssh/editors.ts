/** The command lines of editors that open a folder over ssh. Pure. */

interface Target {
  host: string;
  /** Absolute path inside */
  path: string;
}

/** Forks of VS Code take its options. */
const LIKE_CODE = ['code', 'code-insiders', 'codium', 'cursor', 'windsurf'];

export const EDITORS: readonly string[] = [...LIKE_CODE, 'zed'];

/** `editor`: one of the above. */
export function editorCommand(editor: string, { host, path }: Target): string[] {
  if (LIKE_CODE.includes(editor)) return [editor, '--remote', `ssh-remote+${host}`, path];
  return [editor, `ssh://${host}${path.split('/').map(encodeURIComponent).join('/')}`];
}
