/** Secrets of the host: what is known of each, and where its value lies. */

/** Who may use it; the narrowest of several of one name wins */
export type SecretScope =
  | { kind: 'all' }
  | { kind: 'project'; dir: string }
  | { kind: 'sandbox'; dir: string; name: string };

/** One sandbox, by its project's folder and its name */
export interface Asker {
  dir: string;
  name: string;
}

export type SecretSource =
  /** Kept in a store */
  | { kind: 'value' }
  /** Made on the host when it is needed, and kept in memory for a while */
  | { kind: 'command'; argv: string[]; cacheSeconds: number };

/** Everything but the value. */
export interface SecretInfo {
  name: string;
  scope: SecretScope;
  source: SecretSource;
  store: ValueStore['kind'] | 'none';
  /** ISO 8601 */
  setAt: string;
}

/** Where values lie: plain text by key. No method may put a value into an error. */
export interface ValueStore {
  readonly kind: 'keyring' | 'file';
  /** MUST be undefined, not an error, when there is none. @throws SbxError `secret` when the store cannot be read */
  get(key: string): Promise<string | undefined>;
  /** MUST replace what is there, whole or not at all. */
  set(key: string, value: string): Promise<void>;
  /** MUST NOT fail when there is none. */
  remove(key: string): Promise<void>;
}
