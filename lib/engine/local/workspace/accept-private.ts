/** Takes a private change of a sandbox over to the host: see `sbx accept`. */
import { SbxError } from '../../../errors.ts';
import { Folder } from '../../../guest/copy/folder.ts';
import type { Home } from '../../../paths.ts';
import { acceptChange, takeOutOfFolder } from '../../../workspace/changes/accept.ts';
import type { AcceptRequest } from '../../../workspace/changes/private-work.ts';
import type { WorkspaceServers } from '../../../workspace/client/servers.ts';
import { servedFolders } from '../../../workspace/folders.ts';
import { placeOf } from './explain-path.ts';
import { openBelow } from './layer-folders.ts';
import { guestOf } from './workspaces.ts';

/** @throws SbxError `workspace`, `not-found` */
export async function acceptPrivate(
  { home, workspaces }: { home: Home; workspaces: WorkspaceServers },
  { id, spec, path, version }: AcceptRequest,
): Promise<void> {
  const guest = guestOf(home, id);
  const { folders } = await servedFolders(spec, [home.root]);
  const place = placeOf(folders, path);
  const root = folders.find(({ name }) => name === place?.folder);
  const { base, names } = workspaces.layerOf(guest);
  const tree = place === undefined ? undefined : await openBelow(base, [...names, place.folder, 'tree']);
  if (place === undefined || root === undefined || tree === undefined)
    throw new SbxError('not-found', `${spec.name} has no change of its own at ${path}`);
  await using layer = tree;
  await using host = await Folder.open(root.path);
  await acceptChange({ layer, host, hostPath: root.path, notes: home.temporaries }, { path: place.path, version });
  if (workspaces.isServed(guest)) await workspaces.takeOut(guest, place);
  else await takeOutOfFolder(layer, place.path);
}
