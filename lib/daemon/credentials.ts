/** The credentials of the sandboxes: secrets of the host on one side, what stands inside for them on the other. */
import type { SandboxSpec } from '../config/spec.ts';
import type { Home } from '../paths.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Asker } from '../secrets/types.ts';
import { dropStandIns, standInFor } from './stand-ins.ts';

export interface Credentials {
  /** What the guest's environment gets: a stand-in for each secret that is set */
  environment(id: string, spec: SandboxSpec): Promise<Record<string, string>>;
  /** A fresh machine gets fresh stand-ins. */
  renew(id: string): void;
}

/** Of a secret that is set and cannot be read now: the length and alphabet of most keys */
const UNREAD = `aA0${'x'.repeat(37)}`;

export function createCredentials({
  home,
  secrets,
  askerOf,
}: {
  home: Home;
  secrets: Secrets;
  askerOf: (id: string) => Asker;
}): Credentials {
  return {
    async environment(id, spec) {
      const asker = askerOf(id);
      const env: Record<string, string> = {};
      for (const { env: name, secret } of spec.credentials) {
        if (env[name] !== undefined || secrets.find(secret, asker) === undefined) continue;
        const value = await secrets.read(secret, asker).catch(() => UNREAD);
        env[name] = standInFor(home, id, { env: name, secret: value ?? UNREAD });
      }
      return env;
    },
    renew: (id) => dropStandIns(home, id),
  };
}
