/** Which store takes values on this host: the keyring where there is one, else a file. */
import { SbxError } from '../errors.ts';
import { type Home, homeOf } from '../paths.ts';
import { fileStore } from './file-store.ts';
import { keyringStore } from './keyring-store.ts';
import type { ValueStore } from './types.ts';

export interface Stores {
  /** For new values; `wish`: what the person asked for */
  chosen(wish?: string): Promise<ValueStore>;
  /** Where an earlier value lies. @throws SbxError `secret` when it is not there any more */
  named(kind: ValueStore['kind']): Promise<ValueStore>;
}

/** Without a wish, a state folder of one's own (SBX_HOME) means the file: what belongs to it goes with it. */
export function createStores(home: Home): Stores {
  const file = fileStore(home.secrets.values);
  let keyring: Promise<ValueStore | undefined> | undefined;
  const openKeyring = async () => {
    keyring ??= keyringStore(home.root);
    const found = await keyring;
    // A session may get one later.
    if (found === undefined) keyring = undefined;
    return found;
  };
  const named = async (kind: ValueStore['kind']) => {
    if (kind === 'file') return file;
    const found = await openKeyring();
    if (found !== undefined) return found;
    throw new SbxError('secret', 'the keyring of this host cannot be reached', {
      why: 'no Secret Service answers the sbx daemon',
      hint: 'log in to a session that has one and run `sbx daemon stop`, or set the secret again with SBX_SECRET_STORE=file',
    });
  };
  return {
    named,
    async chosen(wish) {
      if (wish === 'file') return file;
      if (wish === 'keyring') return named('keyring');
      if (wish !== undefined)
        throw new SbxError('usage', `SBX_SECRET_STORE is "${wish}"`, { hint: 'it is "keyring" or "file"' });
      return home.root === homeOf({}).root ? ((await openKeyring()) ?? file) : file;
    },
  };
}
