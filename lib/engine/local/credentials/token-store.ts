/** Stores tokens issued to logins in the sandbox with the secrets of the host, so that they survive the daemon. */
import type { Placeholder, PlaceholderBook } from '../../../gateway/credentials/placeholder-book.ts';
import type { Vault } from '../../../secrets/secrets.ts';

export interface TokenKeeper {
  /** Loads the tokens into the book, once */
  load(id: string): Promise<void>;
  save(id: string): void;
  drop(id: string): Promise<void>;
}

type Kept = Omit<Placeholder, 'sandbox'>;

export function createTokenKeeper(book: PlaceholderBook, vault: Vault): TokenKeeper {
  const loading = new Map<string, Promise<void>>();
  let saving: Promise<unknown> = Promise.resolve();
  const keyOf = (id: string) => `tokens@${id}`;
  const load = async (id: string) => {
    for (const one of parse(await vault.get(keyOf(id)).catch(() => undefined))) book.put({ ...one, sandbox: id });
  };
  return {
    load(id) {
      const known = loading.get(id) ?? load(id);
      loading.set(id, known);
      return known;
    },
    save(id) {
      const kept = book.of(id).filter(({ token }) => token !== undefined);
      const text = JSON.stringify(kept);
      // If no store is available they are lost with the daemon, and the user logs in again.
      saving = saving.then(() => vault.set(keyOf(id), text)).catch(() => {});
    },
    async drop(id) {
      loading.delete(id);
      await saving;
      await vault.remove(keyOf(id)).catch(() => {});
    },
  };
}

/** Empty if unreadable: the user then logs in again. */
function parse(text: string | undefined): Kept[] {
  try {
    return text === undefined ? [] : (JSON.parse(text) as Kept[]);
  } catch {
    return [];
  }
}
