/** The indexes in the user's pip configuration. */
import { join } from 'node:path';
import { PUBLIC_REGISTRIES } from './public-registries.ts';
import { readTexts } from './read-texts.ts';
import type { RegistrySource } from './source.ts';

export const PIP: RegistrySource = {
  variables: /^(pip_|XDG_CONFIG_HOME$)/i,

  files({ env, home }) {
    const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
    const own = env['PIP_CONFIG_FILE'];
    return [...(own ? [own] : []), join(config, 'pip/pip.conf'), join(home, '.pip/pip.conf'), '/etc/pip.conf'];
  },

  async urls(places) {
    const { env } = places;
    const named = [env['PIP_INDEX_URL'], ...(env['PIP_EXTRA_INDEX_URL'] ?? '').split(/\s+/)].filter(Boolean);
    const found = [...(named as string[]), ...(await readTexts(this.files(places))).flatMap(parsePipConf)];
    return found.length === 0 ? PUBLIC_REGISTRIES.pip : found;
  },
};

/** Index URLs of a pip.conf: `index-url` first, then `extra-index-url`, also over several lines. */
export function parsePipConf(text: string): string[] {
  const lines = text.replace(/\r?\n[ \t]+(?=\S)/g, ' ').split(/\r?\n/);
  const named = (key: RegExp) => lines.flatMap((line) => key.exec(line)?.[1]?.split(/\s+/) ?? []).filter(Boolean);
  return [...named(/^index[-_]url\s*[=:]\s*(.*)$/), ...named(/^extra[-_]index[-_]url\s*[=:]\s*(.*)$/)];
}
