/** The module proxies in the user's Go configuration. */
import { join } from 'node:path';
import { PUBLIC_REGISTRIES } from './public-registries.ts';
import { readTexts } from './read-texts.ts';
import type { RegistrySource } from './source.ts';

const [PUBLIC_PROXY = '', PUBLIC_SUMS = ''] = PUBLIC_REGISTRIES.go;

export const GO: RegistrySource = {
  variables: /^(GOPROXY|GOSUMDB|GOENV|XDG_CONFIG_HOME)$/,

  files({ env, home }) {
    const own = env['GOENV'];
    if (own === 'off') return [];
    return [own || join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'go/env')];
  },

  async urls(places) {
    const [text = ''] = await readTexts(this.files(places));
    return goProxies({ ...parseGoEnv(text), ...places.env });
  },
};

/** Proxies, then the checksum database, of the variables GOPROXY and GOSUMDB. */
export function goProxies({ GOPROXY, GOSUMDB }: NodeJS.ProcessEnv): string[] {
  const proxies = (GOPROXY || PUBLIC_PROXY).split(/[,|]/).map((one) => one.trim());
  return [...proxies.filter((one) => one !== 'direct' && one !== 'off'), ...checksums(GOSUMDB)];
}

/** `off`, `name`, `name+key`, or one of these with the URL to ask at. */
function checksums(setting: string | undefined): string[] {
  if (!setting) return [PUBLIC_SUMS];
  if (setting === 'off') return [];
  const [name = '', url] = setting.trim().split(/\s+/);
  return [url ?? `https://${name.replace(/\+.*$/, '')}`];
}

function parseGoEnv(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).map((line) => /^(\w+)=(.*)$/.exec(line));
  return Object.fromEntries(lines.flatMap((match) => (match === null ? [] : [[match[1], match[2]]])));
}
