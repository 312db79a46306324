/** The facts of the host that loading depends on. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, homedir, totalmem } from 'node:os';
import { ask } from '../registries/ask.ts';
import { type HostRegistries, readRegistries } from '../registries/read-registries.ts';
import { lockedTemplates, type RemoteTemplates } from '../remote/locked.ts';

export interface HostFacts {
  cpus: number;
  memoryBytes: number;
  /** The user's home folder */
  home: string;
  /** Users whose sandbox.toml is accepted above the working directory; default: root and this user */
  owners?: number[];
  /** From os-release */
  os: { id: string; codename: string };
  /** Called only if a list uses a preset */
  registries: () => Promise<HostRegistries>;
  /** A value of the user's global git configuration; undefined: it is not set. Called only if a field needs it */
  gitValue?: (key: string) => Promise<string | undefined>;
  /** Templates of repositories; absent: none are known */
  templates?: RemoteTemplates;
  /** State folder of sbx, which no workspace may contain */
  stateDir?: string;
}

/** `env`: of the command line, which may differ from that of the daemon. */
export function hostFacts(stateDir: string, env: NodeJS.ProcessEnv): HostFacts {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?`, 'm').exec(text)?.[1] ?? '';
  return {
    cpus: cpus().length,
    memoryBytes: totalmem(),
    home: env['HOME'] ?? homedir(),
    owners: [0, process.getuid?.() ?? 0, Number(env['SUDO_UID'] ?? 0)],
    os: { id: field('ID'), codename: field('VERSION_CODENAME') },
    registries: () => readRegistries(`${stateDir}/registries.json`, env),
    gitValue: async (key) => (await ask('git', ['config', '--global', '--includes', '--get', key], env)).at(-1),
    templates: lockedTemplates(stateDir),
    stateDir,
  };
}
