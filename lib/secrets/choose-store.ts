/** Chooses the store for secret values: the keyring if available, otherwise a file. */
import { SbxError } from '../errors.ts';
import { type Home, homeOf } from '../paths.ts';
import { fileStore } from './file-store.ts';
import { keyringStore } from './keyring-store.ts';
import type { ValueStore } from './types.ts';

export interface Stores {
  /** For new values; `wish`: the store that the user requested */
  chosen(wish?: string): Promise<ValueStore>;
  /** The store of an existing value. @throws SbxError `secret` if it is no longer available */
  named(kind: ValueStore['kind']): Promise<ValueStore>;
}

/** By default, a custom state folder (SBX_HOME) uses the file, so that the values move with the folder. */
export function createStores(home: Home): Stores {
  const file = fileStore(home.secrets.values);
  let keyring: Promise<ValueStore | undefined> | undefined;
  const openKeyring = async () => {
    keyring ??= keyringStore(home.root);
    const found = await keyring;
    // The session may get a keyring later.
    if (found === undefined) keyring = undefined;
    return found;
  };
  const named = async (kind: ValueStore['kind']) => {
    if (kind === 'file') return file;
    const found = await openKeyring();
    if (found !== undefined) return found;
    throw new SbxError('secret', 'the keyring of this host is not reachable', {
      why: 'no Secret Service answers the sbx daemon',
      hint: 'log in to a session with a keyring and run `sbx daemon stop`, or set the secret again with SBX_SECRET_STORE=file',
    });
  };
  return {
    named,
    async chosen(wish) {
      if (wish === 'file') return file;
      if (wish === 'keyring') return named('keyring');
      if (wish !== undefined)
        throw new SbxError('usage', `invalid SBX_SECRET_STORE: "${wish}"`, { hint: 'set it to "keyring" or "file"' });
      return home.root === homeOf({}).root ? ((await openKeyring()) ?? file) : file;
    },
  };
}
