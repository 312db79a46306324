/** The repositories in the user's Maven settings. */
import { join } from 'node:path';
import { PUBLIC_REGISTRIES } from './public-registries.ts';
import { readTexts } from './read-texts.ts';
import type { RegistrySource } from './source.ts';

export const MAVEN: RegistrySource = {
  variables: /^M2_HOME$/,

  files({ env, home }) {
    const installed = env['M2_HOME'] ?? '/usr/share/maven';
    return [join(home, '.m2/settings.xml'), join(installed, 'conf/settings.xml')];
  },

  async urls(places) {
    const texts = await readTexts(this.files(places));
    return mavenRepositories(texts.join('\n'));
  },
};

/** URLs of mirrors and repositories; Maven's own repository unless a mirror stands for it. Expressions (`${…}`) are left out. */
export function mavenRepositories(settings: string): string[] {
  const text = settings.replace(/<!--.*?-->/gs, '');
  const mirrors = elements(text, 'mirror');
  const central = mirrors.some((mirror) => standsForCentral(elements(mirror, 'mirrorOf')[0] ?? ''));
  const repositories = ['repository', 'pluginRepository'].flatMap((name) => elements(text, name));
  const urls = [...mirrors, ...repositories].flatMap((one) => elements(one, 'url').slice(0, 1));
  return [...urls.filter((url) => !url.includes('${')), ...(central ? [] : PUBLIC_REGISTRIES.maven)];
}

function standsForCentral(mirrorOf: string): boolean {
  const names = mirrorOf.split(',').map((name) => name.trim());
  return !names.includes('!central') && names.some((name) => ['central', '*', 'external:*'].includes(name));
}

function elements(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, inner = '']) =>
    unescaped(inner.trim()),
  );
}

function unescaped(text: string): string {
  return text.includes('<') ? text : text.replaceAll('&amp;', '&');
}
