/** Selects the environment variables that the loading of a project depends on: those of npm, pip and APT. */
const VARIABLES = /^(npm_config_.*|pip_.*|sbx_apt_mirror|path|home|xdg_config_home|lang)$/i;

/** Sent with each request that loads a project: the daemon's own environment is that of the command that started it. */
export function loaderEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => VARIABLES.test(name)));
}
