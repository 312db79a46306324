/** Reads what a sandbox changed in its private layer, also while it is stopped: see `sbx diff`. */
import { join } from 'node:path';
import { Folder } from '../../../guest/copy/folder.ts';
import type { Home } from '../../../paths.ts';
import { type ShownChange, showChange } from '../../../workspace/changes/diff-text.ts';
import type { PrivateWork, PrivateWorkRequest } from '../../../workspace/changes/private-work.ts';
import { readLayer } from '../../../workspace/changes/read-layer.ts';
import type { ServedFolder } from '../../../workspace/client/served-folders.ts';
import type { WorkspaceServers } from '../../../workspace/client/servers.ts';
import { isKeptFolder, servedFolders } from '../../../workspace/folders.ts';
import { globMatcher } from '../../../workspace/git/hide-match.ts';
import { enterAll, openBelow } from './layer-folders.ts';
import { guestOf } from './workspaces.ts';

/** Characters */
const DIFF_MAX = 4 * 1024 * 1024;
/** Entries of a folder's layer that are counted, where only their number is asked for, as at each `sbx inspect` */
const COUNT_MAX = 2000;
const REPOSITORY = /(^|\/)\.git$/;

type Deps = { home: Home; workspaces: WorkspaceServers };

/** Paths are those of the workspace, relative; of other folders absolute on the host. */
export async function privateWork({ home, workspaces }: Deps, request: PrivateWorkRequest): Promise<PrivateWork> {
  const { id, spec } = request;
  const place = workspaces.layerOf(guestOf(home, id));
  const layer = await openBelow(place.base, place.names);
  if (layer === undefined) return { changes: [], isPartial: false };
  await using layers = layer;
  const folders = await servedFolders(spec, [home.root]).then(
    (served) => served.folders,
    // It is gone: the layer is still there.
    () => [],
  );
  const all: PrivateWork = { changes: [], isPartial: false };
  const names = (await layers.list()).toSorted(Buffer.compare).map((bytes) => bytes.toString());
  for (const name of names.filter((one) => !isKeptFolder(one)))
    await addFolder(all, layers, name, { request, folders });
  return all;
}

interface Asked {
  request: PrivateWorkRequest;
  folders: ServedFolder[];
}

async function addFolder(all: PrivateWork, layers: Folder, name: string, { request, folders }: Asked): Promise<void> {
  const { spec, below, withDiff } = request;
  const tree = await enterAll(layers, [name, 'tree']);
  if (tree === undefined) return;
  await using layer = tree;
  const isWorkspace = name === 'ws';
  const root = folders.find((one) => one.name === name)?.path ?? (isWorkspace ? spec.workspace.path : name);
  const isOwn = globMatcher(isWorkspace ? (spec.workspace.private ?? []) : []);
  const { changes, isPartial } = await readLayer(layer, {
    isWhole: (path) => REPOSITORY.test(path) || isOwn(path),
    ...(withDiff ? {} : { isLeftOut: isOwn, countMax: COUNT_MAX }),
  });
  const opened = withDiff ? await Folder.open(root).catch(() => undefined) : undefined;
  await using host = opened ?? NOTHING;
  all.isPartial ||= isPartial;
  let length = 0;
  for (const change of changes) {
    const path = join(root, change.path);
    if (below !== undefined && path !== below && !path.startsWith(`${below}/`)) continue;
    const sides = { layer, host: host instanceof Folder ? host : undefined };
    const seen: Partial<ShownChange> = withDiff && length < DIFF_MAX ? await showChange(change, sides) : {};
    length += seen.diff?.length ?? 0;
    // Read and written without a change
    if (seen.diff === '') continue;
    const shown = isWorkspace ? change.path : path;
    all.changes.push({ ...change, path: shown, isOwn: isOwn(change.path), ...seen });
  }
  if (length >= DIFF_MAX) all.isPartial = true;
}

const NOTHING: AsyncDisposable = { async [Symbol.asyncDispose]() {} };
