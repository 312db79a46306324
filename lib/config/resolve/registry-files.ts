/** Parses the registries in the configuration files of npm and pip. Pure. */

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

/** Index URLs of a pip.conf: `index-url` first, then `extra-index-url`, also over several lines. */
export function parsePipConf(text: string): string[] {
  const lines = text.replace(/\r?\n[ \t]+(?=\S)/g, ' ').split(/\r?\n/);
  const named = (key: RegExp) => lines.flatMap((line) => key.exec(line)?.[1]?.split(/\s+/) ?? []).filter(Boolean);
  return [...named(/^index[-_]url\s*[=:]\s*(.*)$/), ...named(/^extra[-_]index[-_]url\s*[=:]\s*(.*)$/)];
}

function unquote(value: string): string {
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}
