/** Types of host secrets and their stores. */

/** Sandboxes that may use it; the narrowest scope of a name wins */
export type SecretScope =
  | { kind: 'all' }
  | { kind: 'project'; dir: string }
  | { kind: 'sandbox'; dir: string; name: string };

/** A sandbox, by project folder and name */
export interface SandboxRef {
  dir: string;
  name: string;
}

export type SecretSource =
  /** Kept in a store */
  | { kind: 'value' }
  /** Printed by a host command on demand, and cached in memory */
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

/** Stores plain-text values by key. No method may put a value into an error. */
export interface ValueStore {
  readonly kind: 'keyring' | 'file';
  /** MUST return undefined if the key does not exist. @throws SbxError `secret` if the store cannot be read */
  get(key: string): Promise<string | undefined>;
  /** MUST replace the old value atomically. */
  set(key: string, value: string): Promise<void>;
  /** MUST NOT fail if the key does not exist. */
  remove(key: string): Promise<void>;
}
