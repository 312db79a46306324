/** Manages the secrets of this user: an index file, and values in a store or from a command. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import { ensurePrivateDir, type Home } from '../paths.ts';
import { createStores } from './choose-store.ts';
import { runForValue } from './command-value.ts';
import { keyOf, narrowest } from './scope.ts';
import type { SandboxRef, SecretInfo, SecretScope, SecretSource, ValueStore } from './types.ts';

export interface NewSecret {
  name: string;
  scope: SecretScope;
  source: SecretSource;
  /** For source `value` */
  value?: string;
  /** `keyring` or `file`; default: the keyring if available */
  store?: string;
}

/** Stores values that sbx creates, beside the secrets of the user. */
export type Vault = Omit<ValueStore, 'kind'>;

export interface Secrets {
  /** Replaces a secret of the same name and scope. `warning`: set once if there is no keyring. @throws SbxError `secret` */
  set(secret: NewSecret): Promise<{ info: SecretInfo; warning?: string }>;
  list(): SecretInfo[];
  /** False: it does not exist */
  remove(name: string, scope: SecretScope): Promise<boolean>;
  /** The secret that the sandbox gets */
  find(name: string, sandbox: SandboxRef): SecretInfo | undefined;
  /** Undefined: it is not set. @throws SbxError `secret`, never with the value */
  read(name: string, sandbox: SandboxRef): Promise<string | undefined>;
  vault: Vault;
}

interface Index {
  version: 1;
  /** The warning about the file store was shown */
  warned?: boolean;
  secrets: SecretInfo[];
}

/** Pause before a failed command is run again */
const FAILED_MS = 5_000;

interface Known {
  setAt: string;
  until: number;
  value: Promise<string>;
}

export function openSecrets(home: Home): Secrets {
  return new SecretBook(home);
}

class SecretBook implements Secrets {
  readonly #index: string;
  /** File of the plain-text store */
  readonly #values: string;
  readonly #stores: ReturnType<typeof createStores>;
  readonly #known = new Map<string, Known>();
  readonly vault: Vault;

  constructor(home: Home) {
    this.#index = home.secrets.index;
    this.#values = home.secrets.values;
    const stores = createStores(home);
    this.#stores = stores;
    this.vault = {
      get: async (key) => (await stores.chosen()).get(key),
      set: async (key, value) => (await stores.chosen()).set(key, value),
      remove: async (key) => (await stores.chosen()).remove(key),
    };
  }

  async set({ name, scope, source, value = '', store: wish }: NewSecret): ReturnType<Secrets['set']> {
    const before = readIndex(this.#index);
    const key = keyOf(name, scope);
    const store = source.kind === 'command' ? undefined : await this.#stores.chosen(wish);
    await store?.set(key, checkValue(name, value));
    const others = before.secrets.filter((one) => keyOf(one.name, one.scope) !== key);
    const old = before.secrets.find((one) => keyOf(one.name, one.scope) === key);
    const info: SecretInfo = { name, scope, source, store: store?.kind ?? 'none', setAt: new Date().toISOString() };
    const warn = store?.kind === 'file' && before.warned !== true;
    this.#save({ version: 1, warned: before.warned === true || warn, secrets: [...others, info] });
    this.#known.delete(key);
    // Remove an earlier value from its other store.
    if (old !== undefined && old.store !== info.store) await this.#removeValue(old);
    return { info, ...(warn ? { warning: warningOf(this.#values) } : {}) };
  }

  list(): SecretInfo[] {
    return readIndex(this.#index).secrets;
  }

  async remove(name: string, scope: SecretScope): Promise<boolean> {
    const before = readIndex(this.#index);
    const key = keyOf(name, scope);
    const found = before.secrets.find((one) => keyOf(one.name, one.scope) === key);
    if (found === undefined) return false;
    await this.#removeValue(found);
    this.#save({ ...before, secrets: before.secrets.filter((one) => one !== found) });
    this.#known.delete(key);
    return true;
  }

  find(name: string, sandbox: SandboxRef): SecretInfo | undefined {
    return narrowest(this.list(), name, sandbox);
  }

  async read(name: string, sandbox: SandboxRef): Promise<string | undefined> {
    const info = this.find(name, sandbox);
    return info === undefined ? undefined : this.#readCached(info);
  }

  /** Reads once for all callers: a stored value until it is set again, the output of a command for its cache time. */
  #readCached(info: SecretInfo): Promise<string> {
    const key = keyOf(info.name, info.scope);
    const held = this.#known.get(key);
    if (held !== undefined && held.setAt === info.setAt && Date.now() < held.until) return held.value;
    const fresh: Known = { setAt: info.setAt, until: Number.POSITIVE_INFINITY, value: this.#fetch(info) };
    this.#known.set(key, fresh);
    fresh.value.then(
      () => {
        if (info.source.kind === 'command') fresh.until = Date.now() + info.source.cacheSeconds * 1_000;
      },
      () => {
        fresh.until = Date.now() + FAILED_MS;
      },
    );
    return fresh.value;
  }

  async #fetch({ name, scope, source, store }: SecretInfo): Promise<string> {
    if (source.kind === 'command') return checkValue(name, await runForValue(name, source.argv));
    const value = await (await this.#stores.named(store as ValueStore['kind'])).get(keyOf(name, scope));
    if (value !== undefined) return value;
    throw new SbxError('secret', `the value of the secret "${name}" is missing`, {
      why: `the ${store} no longer contains it`,
      hint: `run \`sbx secret set ${name}\` again`,
    });
  }

  /** A secret whose value comes from a command is in no store. */
  async #removeValue({ name, scope, store }: SecretInfo): Promise<void> {
    if (store !== 'none') await (await this.#stores.named(store)).remove(keyOf(name, scope));
  }

  #save(next: Index): void {
    ensurePrivateDir(dirname(this.#index));
    writeFileAtomic.sync(this.#index, JSON.stringify(next), { mode: 0o600 });
  }
}

function readIndex(path: string): Index {
  try {
    const index = JSON.parse(readFileSync(path, 'utf8')) as Index;
    if (index.version === 1 && Array.isArray(index.secrets)) return index;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { version: 1, secrets: [] };
  }
  throw new SbxError('secret', `the list of secrets cannot be read: ${path}`, {
    why: 'it is damaged or not readable',
    hint: 'remove it, then set the secrets again',
  });
}

function warningOf(path: string): string {
  return `no keyring is used: values are stored in ${path}, in plain text, readable by your user only`;
}

const VALUE_MAX = 16 * 1024;

/** @throws SbxError `secret`, without the value */
function checkValue(name: string, value: string): string {
  const why =
    value === ''
      ? 'it is empty'
      : value.length > VALUE_MAX
        ? `it is longer than ${VALUE_MAX / 1024} KiB`
        : /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
          ? undefined
          : 'it contains a line end, a control or non-ASCII character, or starts or ends with a space';
  if (why === undefined) return value;
  throw new SbxError('secret', `invalid value for the secret "${name}"`, {
    why,
    hint: 'use one line that is valid in an HTTP header',
  });
}
