/** Opens folders of which a guest or a server may have made links. */
import { Folder } from '../../../guest/copy/folder.ts';

/** Follows no link below `base`. Undefined: there is no such folder */
export async function openBelow(base: string, names: string[]): Promise<Folder | undefined> {
  const folder = await Folder.open(base).catch(() => undefined);
  if (folder === undefined) return undefined;
  await using top = folder;
  return await enterAll(top, names);
}

export async function enterAll(top: Folder, names: string[]): Promise<Folder | undefined> {
  let at = top;
  for (const name of names) {
    const next = await at.enter(name).catch(() => undefined);
    if (at !== top) await at[Symbol.asyncDispose]();
    if (next === undefined) return undefined;
    at = next;
  }
  return at;
}
