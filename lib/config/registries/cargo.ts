/** The registries in the user's Cargo configuration. */
import { join } from 'node:path';
import toml from '@iarna/toml';
import { PUBLIC_REGISTRIES } from './public-registries.ts';
import { readTexts } from './read-texts.ts';
import type { RegistrySource } from './source.ts';

/** Sources that replace each other; Cargo refuses a circle, we stop */
const REPLACED_MAX = 10;

export const CARGO: RegistrySource = {
  variables: /^CARGO_(HOME$|REGISTRIES_)/,

  files({ env, home }) {
    const folder = env['CARGO_HOME'] ?? join(home, '.cargo');
    return [join(folder, 'config.toml'), join(folder, 'config')];
  },

  async urls(places) {
    const [text = ''] = await readTexts(this.files(places));
    const named = Object.entries(places.env).filter(([name]) => /^CARGO_REGISTRIES_.+_INDEX$/.test(name));
    return [...cargoRegistries(text), ...named.map(([, url]) => withoutKind(url ?? ''))];
  },
};

/** Index URLs: what stands for crates.io first, then the other registries. A file that Cargo could not read says nothing. */
export function cargoRegistries(text: string): string[] {
  const config = parsed(text);
  const indexes = Object.values(table(config['registries'])).map((one) => table(one)['index']);
  return [...replacement(config), ...indexes.filter((url) => typeof url === 'string').map(withoutKind)];
}

/** What `[source.crates-io] replace-with` leads to; a folder of the host has no URL. */
function replacement(config: Record<string, unknown>): string[] {
  const sources = table(config['source']);
  let name = 'crates-io';
  for (let count = 0; count < REPLACED_MAX; count += 1) {
    const source = table(sources[name]);
    const next = source['replace-with'];
    if (typeof next !== 'string') {
      const url = source['registry'] ?? table(table(config['registries'])[name])['index'];
      if (typeof url === 'string') return [withoutKind(url)];
      return name === 'crates-io' ? PUBLIC_REGISTRIES.cargo : [];
    }
    name = next;
  }
  return [];
}

function withoutKind(url: string): string {
  return url.replace(/^(sparse|git)\+/, '');
}

function parsed(text: string): Record<string, unknown> {
  try {
    return toml.parse(text);
  } catch {
    return {};
  }
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
