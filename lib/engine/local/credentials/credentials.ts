/** Connects the secrets of the host with the placeholders in the sandboxes. */

import { SbxError } from '../../../errors.ts';
import { type Binding, bindingOf } from '../../../gateway/credentials/bindings.ts';
import { credentialInspector } from '../../../gateway/credentials/inspector.ts';
import { createPlaceholderBook, type PlaceholderBook } from '../../../gateway/credentials/placeholder-book.ts';
import type { Inspector } from '../../../gateway/http/inspector.ts';
import type { Home } from '../../../paths.ts';
import type { Secrets } from '../../../secrets/secrets.ts';
import type { SandboxRef } from '../../../secrets/types.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { dropPlaceholders, makePlaceholderFor, readPlaceholders } from './placeholder-file.ts';
import { createTokenKeeper } from './token-store.ts';

export interface Credentials {
  /** Environment for the guest: a placeholder for each secret that is set */
  environment(id: string, spec: SandboxSpec): Promise<Record<string, string>>;
  /** Binds secrets to hosts, from the next request on */
  bind(id: string, spec: SandboxSpec): void;
  /** Request inspector for the egress proxy of the sandbox */
  inspector(id: string): Inspector;
  /** Drops placeholders and issued tokens, for a new VM. */
  renew(id: string): Promise<void>;
  forget(id: string): Promise<void>;
}

export interface CredentialsDeps {
  home: Home;
  secrets: Secrets;
  refOf: (id: string) => SandboxRef;
  /** All existing sandboxes, whose placeholders are loaded at the start */
  ids: string[];
}

/** Shape of a secret that cannot be read now: length and alphabet of most keys */
const UNREAD = `aA0${'x'.repeat(37)}`;

export function createCredentials({ home, secrets, refOf, ids }: CredentialsDeps): Credentials {
  const book = createPlaceholderBook();
  const bindings = new Map<string, Binding[]>();
  const tokens = createTokenKeeper(book, secrets.vault);
  for (const id of ids)
    for (const [label, text] of Object.entries(readPlaceholders(home, id))) book.put({ text, sandbox: id, label });
  const renew = async (id: string) => {
    dropPlaceholders(home, id);
    book.drop(id);
    await tokens.drop(id);
  };
  return {
    environment: async (id, { credentials }) =>
      placeholdersFor(credentials, { id, home, secrets, book, sandbox: refOf(id) }),
    bind: (id, spec) =>
      void bindings.set(
        id,
        spec.credentials.flatMap((one) => bindingOf(one) ?? []),
      ),
    inspector: (id) =>
      credentialInspector({
        sandbox: id,
        book,
        bindings: () => bindings.get(id) ?? [],
        secretOf: (name) => secrets.read(name, refOf(id)).catch(throwForGuest),
        ready: () => tokens.load(id),
        onToken: () => tokens.save(id),
      }),
    renew,
    async forget(id) {
      bindings.delete(id);
      await renew(id);
    },
  };
}

interface PlaceholderDeps extends Pick<CredentialsDeps, 'home' | 'secrets'> {
  id: string;
  book: PlaceholderBook;
  sandbox: SandboxRef;
}

/** @returns variable → placeholder, for each secret that is set */
async function placeholdersFor(
  credentials: SandboxSpec['credentials'],
  { id, home, secrets, book, sandbox }: PlaceholderDeps,
): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { env: name, secret } of credentials) {
    if (env[name] !== undefined || secrets.find(secret, sandbox) === undefined) continue;
    // Read only for a new placeholder, since a command may be slow.
    const read = async () => (await secrets.read(secret, sandbox).catch(() => UNREAD)) ?? UNREAD;
    const text = readPlaceholders(home, id)[name] ?? makePlaceholderFor(home, id, { env: name, secret: await read() });
    book.put({ text, sandbox: id, label: name });
    env[name] = text;
  }
  return env;
}

/** Message for the guest: without the cause, which could contain a secret. */
function throwForGuest(error: unknown): never {
  if (!(error instanceof SbxError)) throw new Error('an unexpected failure');
  throw new Error(error.why === undefined ? error.message : `${error.message}: ${error.why}`);
}
