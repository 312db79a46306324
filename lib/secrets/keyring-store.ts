/** Stores values in the Secret Service of the desktop. */
import { createHash } from 'node:crypto';
import type { AsyncEntry } from '@napi-rs/keyring';
import { SbxError } from '../errors.ts';
import type { ValueStore } from './types.ts';

const SERVICE = 'sbx';
/** A locked service, which waits for the user, must not block a request forever */
const ANSWER_MS = 20_000;

/** Undefined: no Secret Service is available. `root`: the state folder; separate folders do not share values. */
export async function keyringStore(root: string): Promise<ValueStore | undefined> {
  try {
    const { AsyncEntry } = await import('@napi-rs/keyring');
    const folder = createHash('sha256').update(root).digest('hex').slice(0, 8);
    // Without `store` it falls back to the kernel keyring, which is lost at the next boot.
    const entry = (key: string) => new AsyncEntry(SERVICE, `${folder}/${key}`, { linux: { store: 'secret-service' } });
    await entry('probe').getPassword(AbortSignal.timeout(ANSWER_MS));
    return storeOf(entry);
  } catch {
    return undefined;
  }
}

function storeOf(entry: (key: string) => AsyncEntry): ValueStore {
  const asked = async <T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      return await work(AbortSignal.timeout(ANSWER_MS));
    } catch {
      throw new SbxError('secret', `the keyring ${what}`, {
        why: 'the Secret Service of this session rejected the request or timed out',
        hint: 'unlock it, then try again; SBX_SECRET_STORE=file keeps secrets in a file instead',
      });
    }
  };
  return {
    kind: 'keyring',
    get: (key) => asked('cannot be read', async (signal) => (await entry(key).getPassword(signal)) ?? undefined),
    set: (key, value) => asked('did not store the secret', (signal) => entry(key).setPassword(value, signal)),
    remove: (key) =>
      asked('did not remove the secret', async (signal) => void (await entry(key).deleteCredential(signal))),
  };
}
