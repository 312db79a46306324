/** The registries in the user's npm configuration. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ask } from './ask.ts';
import type { RegistrySource } from './source.ts';

export const NPM: RegistrySource = {
  variables: /^npm_config_/i,

  files({ env, home }) {
    const settings = npmEnvironment(env);
    const global = settings.get('globalconfig');
    return [
      settings.get('userconfig') ?? join(home, '.npmrc'),
      ...(global === undefined ? ['/etc/npmrc', '/usr/etc/npmrc', '/usr/local/etc/npmrc'] : [global]),
    ];
  },

  /** Runs npm only if no file and no variable names a registry. */
  async urls({ env, home }) {
    const files = this.files({ env, home });
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
    const { main, scoped } = npmRegistries([npmEnvironment(env), ...texts.map((text) => parseNpmrc(text, env))]);
    const first = main ?? (await ask('npm', ['config', 'get', 'registry'], env))[0];
    return [...(first === undefined ? [] : [first]), ...scoped];
  },
};

/** Values by key; the last one wins, as in npm. `${NAME}` is replaced by the variable. */
export function parseNpmrc(text: string, env: NodeJS.ProcessEnv): Map<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const match = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    return match === null ? [] : [[match[1] ?? '', unquote(match[2] ?? '')]];
  });
  return new Map(
    pairs.map(([key, value]) => [key, value.replace(/\$\{([^}]+)\}/g, (whole, name) => env[name] ?? whole)]),
  );
}

/** The main registry first, then those of scopes. Earlier maps win over later ones. */
export function npmRegistries(configs: Map<string, string>[]): { main: string | undefined; scoped: string[] } {
  const merged = new Map(configs.toReversed().flatMap((config) => [...config]));
  const scoped = [...merged].filter(([key]) => /^@[^:]+:registry$/.test(key)).map(([, value]) => value);
  return { main: merged.get('registry'), scoped };
}

/** `npm_config_registry`, `npm_config_@scope:registry`, in any case, as npm reads them. */
export function npmEnvironment(env: NodeJS.ProcessEnv): Map<string, string> {
  return new Map(
    Object.entries(env).flatMap(([key, value]): [string, string][] => {
      const name = /^npm_config_(.+)$/i.exec(key)?.[1];
      return name === undefined || !value ? [] : [[name.startsWith('@') ? name : name.toLowerCase(), value]];
    }),
  );
}

function unquote(value: string): string {
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}
