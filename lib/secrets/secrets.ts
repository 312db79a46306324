/** Manages the secrets of this user: an index file, and values in a store or from a command. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import { ensurePrivateDir, type Home } from '../paths.ts';
import { createStores } from './choose-store.ts';
import { runForValue } from './command-value.ts';
import { keyOf, narrowest } from './scope.ts';
import type { Asker, SecretInfo, SecretScope, SecretSource, ValueStore } from './types.ts';

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
  find(name: string, asker: Asker): SecretInfo | undefined;
  /** Undefined: it is not set. @throws SbxError `secret`, never with the value */
  read(name: string, asker: Asker): Promise<string | undefined>;
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
  const { index } = home.secrets;
  const stores = createStores(home);
  const known = new Map<string, Known>();
  const save = (next: Index) => {
    ensurePrivateDir(dirname(index));
    writeFileAtomic.sync(index, JSON.stringify(next), { mode: 0o600 });
  };
  const fetchValue = async (info: SecretInfo): Promise<string> => {
    if (info.source.kind === 'command') return checkValue(info.name, await runForValue(info.name, info.source.argv));
    const value = await (await stores.named(info.store as ValueStore['kind'])).get(keyOf(info.name, info.scope));
    if (value !== undefined) return value;
    throw new SbxError('secret', `the value of the secret "${info.name}" is missing`, {
      why: `the ${info.store} no longer contains it`,
      hint: `run \`sbx secret set ${info.name}\` again`,
    });
  };
  return {
    async set({ name, scope, source, value = '', store: wish }) {
      const before = readIndex(index);
      const key = keyOf(name, scope);
      const store = source.kind === 'command' ? undefined : await stores.chosen(wish);
      await store?.set(key, checkValue(name, value));
      const others = before.secrets.filter((one) => keyOf(one.name, one.scope) !== key);
      const old = before.secrets.find((one) => keyOf(one.name, one.scope) === key);
      const info: SecretInfo = { name, scope, source, store: store?.kind ?? 'none', setAt: new Date().toISOString() };
      const warn = store?.kind === 'file' && before.warned !== true;
      save({ version: 1, warned: before.warned === true || warn, secrets: [...others, info] });
      known.delete(key);
      // Remove an earlier value from its other store.
      if (old !== undefined && old.store !== 'none' && old.store !== info.store)
        await (await stores.named(old.store)).remove(key);
      return { info, ...(warn ? { warning: warningOf(home.secrets.values) } : {}) };
    },
    list: () => readIndex(index).secrets,
    async remove(name, scope) {
      const before = readIndex(index);
      const key = keyOf(name, scope);
      const found = before.secrets.find((one) => keyOf(one.name, one.scope) === key);
      if (found === undefined) return false;
      if (found.store !== 'none') await (await stores.named(found.store)).remove(key);
      save({ ...before, secrets: before.secrets.filter((one) => one !== found) });
      known.delete(key);
      return true;
    },
    vault: {
      get: async (key) => (await stores.chosen()).get(key),
      set: async (key, value) => (await stores.chosen()).set(key, value),
      remove: async (key) => (await stores.chosen()).remove(key),
    },
    find: (name, asker) => narrowest(readIndex(index).secrets, name, asker),
    async read(name, asker) {
      const info = narrowest(readIndex(index).secrets, name, asker);
      return info === undefined ? undefined : readCached(known, info, fetchValue);
    },
  };
}

/** Reads once for all callers: a stored value until it is set again, the output of a command for its cache time. */
function readCached(
  known: Map<string, Known>,
  info: SecretInfo,
  fetchValue: (info: SecretInfo) => Promise<string>,
): Promise<string> {
  const key = keyOf(info.name, info.scope);
  const held = known.get(key);
  if (held !== undefined && held.setAt === info.setAt && Date.now() < held.until) return held.value;
  const fresh: Known = { setAt: info.setAt, until: Number.POSITIVE_INFINITY, value: fetchValue(info) };
  known.set(key, fresh);
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
