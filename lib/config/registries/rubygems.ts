/** The gem sources in the user's RubyGems and Bundler configuration. */
import { join } from 'node:path';
import { PUBLIC_REGISTRIES } from './public-registries.ts';
import { readTexts } from './read-texts.ts';
import type { RegistrySource, ToolPlaces } from './source.ts';

/** Bundler writes the URL that is mirrored into the name of the setting. */
const MIRROR = /^BUNDLE_MIRROR__(.+?)\/?$/;
const ALL = 'all';

export const RUBYGEMS: RegistrySource = {
  variables: /^(GEMRC$|BUNDLE_|XDG_CONFIG_HOME$)/,

  files: (places) => [...gemFiles(places), bundleFile(places)],

  async urls(places) {
    const [gems, bundle] = await Promise.all([readTexts(gemFiles(places)), readTexts([bundleFile(places)])]);
    const sources = gems.flatMap(parseGemrc);
    const settings = [...bundle.flatMap(parseBundle), ...Object.entries(places.env)];
    const mirrors = settings.flatMap(([name, url = '']) => {
      const of = MIRROR.exec(name)?.[1];
      return of === undefined ? [] : [{ of: of.replaceAll('__', '.').toLowerCase(), url }];
    });
    const isMirrored = (url: string) =>
      mirrors.some(({ of }) => of === ALL || of === url.replace(/\/$/, '').toLowerCase());
    const main = sources.length === 0 ? PUBLIC_REGISTRIES.rubygems : sources;
    return [...mirrors.map(({ url }) => url), ...main.filter((url) => !isMirrored(url))];
  },
};

function gemFiles({ env, home }: ToolPlaces): string[] {
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  return [
    ...(env['GEMRC'] ?? '').split(':').filter(Boolean),
    join(home, '.gemrc'),
    join(config, 'gem/gemrc'),
    '/etc/gemrc',
  ];
}

function bundleFile({ env, home }: ToolPlaces): string {
  return env['BUNDLE_USER_CONFIG'] ?? join(home, '.bundle/config');
}

/** The list under `:sources:`. */
export function parseGemrc(text: string): string[] {
  const [, list = ''] = /^:?sources:[ \t]*\r?\n((?:[ \t]*-[^\n]*\n?)+)/m.exec(text) ?? [];
  return list.split('\n').flatMap((line) => unquoted(line.replace(/^\s*-\s*/, '').trim()) || []);
}

function parseBundle(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, name, value = ''] = /^(BUNDLE_\S+):\s+(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, unquoted(value.trim())]];
  });
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2');
}
