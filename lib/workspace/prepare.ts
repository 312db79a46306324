/** Everything a VM's workspace needs before it starts: looks, makes placeholders, plans the mounts. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../errors.ts';
import type { JailMount } from '../jail-mount.ts';
import { planMounts } from './mounts.ts';
import { makePlaceholders, type Placeholder, placeholderAt } from './placeholders.ts';
import { type ProtectedPath, protectedPaths } from './protected.ts';
import { isExact, kindAt, scanWorkspace } from './scan.ts';

export interface WorkspaceRequest {
  /** Real absolute path */
  path: string;
  hide: string[];
  readonly: string[];
  unprotect: string[];
  mounts: { host: string; guest: string; readonly: boolean }[];
  /** Where made placeholders are written down */
  placeholderRecord: string;
  /** Folders that no mount may show: the state folder of sbx */
  forbidden: string[];
}

export interface PreparedWorkspace {
  jailMounts: JailMount[];
  /** What the guest mounts: below the export, and where to */
  guestMounts: { source: string; target: string }[];
}

export async function prepareWorkspace(request: WorkspaceRequest): Promise<PreparedWorkspace> {
  const { path: root } = request;
  checkRoots(request);
  const scan = await scanWorkspace(root, request.hide);
  const guarded = protectedPaths(scan.gitDirs, request.unprotect);
  const wanted = [
    ...guarded,
    ...request.readonly.filter(isExact).map((path): ProtectedPath => ({ path, kind: 'file', placeholder: undefined })),
  ];
  const { existing, placeholders } = await sortOut(root, wanted);
  const later = await hiddenLater(root, request.hide);
  await makePlaceholders(request.placeholderRecord, [...placeholders, ...later]);
  const made = placeholders.map(({ path }) => path.slice(root.length + 1));
  const hidden = [
    ...scan.hidden,
    ...later.map(({ path }) => ({ path: path.slice(root.length + 1), kind: 'file' as const })),
  ];
  return {
    jailMounts: planMounts({
      workspace: root,
      readonly: [...existing, ...made, ...scan.gitFiles],
      hidden,
      extra: request.mounts,
    }),
    guestMounts: [
      { source: 'ws', target: root },
      ...request.mounts.map(({ guest }, index) => ({ source: `m${index}`, target: guest })),
    ],
  };
}

/** Which of the paths are there, and placeholders for those that are not. A link is refused: what it names could be exchanged. */
async function sortOut(
  root: string,
  wanted: ProtectedPath[],
): Promise<{ existing: string[]; placeholders: Placeholder[] }> {
  const existing: string[] = [];
  const placeholders: Placeholder[] = [];
  for (const { path, placeholder } of wanted) {
    const kind = await kindAt(join(root, path));
    if (kind === 'link') throw linked(root, path);
    if (kind !== undefined) existing.push(path);
    else if (placeholder !== undefined)
      placeholders.push(
        placeholderAt(root, path, placeholder.kind, placeholder.kind === 'file' ? placeholder.content : ''),
      );
  }
  return { existing, placeholders };
}

function linked(root: string, path: string): SbxError {
  return new SbxError('workspace', `${join(root, path)} is a symbolic link`, {
    why: 'a protected path must be a file or a folder of the workspace itself',
    hint: `replace the link, or name "${path}" in [workspace] unprotect`,
  });
}

/** A plain name that is hidden but not there yet: made as an empty file, so that what is written later stays unseen. */
async function hiddenLater(root: string, hide: string[]): Promise<Placeholder[]> {
  const names = hide
    .filter((glob) => isExact(glob) && !glob.replace(/^\//, '').includes('/'))
    .map((glob) => glob.replace(/^\//, ''));
  const missing = await Promise.all(
    names.map(async (name) =>
      (await kindAt(join(root, name))) === undefined ? [placeholderAt(root, name, 'file')] : [],
    ),
  );
  return missing.flat();
}

function checkRoots(request: WorkspaceRequest): void {
  const shown = [request.path, ...request.mounts.map(({ host }) => host)];
  for (const path of shown) {
    const real = realpathSync(path);
    for (const forbidden of request.forbidden) {
      if (isInside(forbidden, real) || isInside(real, forbidden)) {
        throw new SbxError('workspace', `${path} cannot be shown to a sandbox`, {
          why: `it holds, or lies in, the state folder of sbx (${forbidden})`,
          hint: 'choose another folder, or set SBX_HOME',
        });
      }
    }
  }
  for (const { host } of request.mounts) {
    if (isInside(request.path, realpathSync(host)) && realpathSync(host) !== request.path) {
      throw new SbxError('workspace', `${host} holds the workspace`, {
        why: 'a mount of it would open the protected and hidden paths',
        hint: 'mount a smaller folder',
      });
    }
    if (isInside(realpathSync(host), request.path))
      throw new SbxError('workspace', `${host} lies in the workspace`, {
        why: 'it is inside already, and a second way would open its protected paths',
        hint: 'remove the entry from [[mounts]]',
      });
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
