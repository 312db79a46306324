/** Lists the steps of a bake as data: commands that run inside the guest. Pure. */
import { ADDED_CERTIFICATES, EXTRA_CERTIFICATES, SYSTEM_BUNDLE } from '../../guest/setup/operations.ts';
import type { PackageLists } from '../store/image-build.ts';
import CA_BUNDLE from './ca-bundle.sh';
import FOUNDATION from './foundation.sh';
import HOST_TRUST from './host-trust.sh';
import IMAGE_USER from './image-user.sh';
import WRITE_FILE from './write-file.sh';

export interface BakeStep {
  /** For progress and errors: `apt-get install`, or the user's own line */
  title: string;
  argv: string[];
  /** Dotted path of the setting in sandbox.toml that requires it */
  path: string | undefined;
  /** Default: root */
  user?: string;
  /** Standard input */
  input?: string;
  /** The npm packages that it installs */
  npm?: string[];
}

const PROXY_URL = 'http://10.0.2.100:3128';

/** The unprivileged user of every sandbox */
export const AGENT_USER = 'agent';

// An interrupted bake is discarded, and a complete one is synced when it is sealed: dpkg need not sync file by file.
const DPKG = ['-o', 'Dpkg::Use-Pty=0', '-o', 'Dpkg::Options::=--force-unsafe-io'];
const APT = ['apt-get', ...DPKG, '-o', 'Acquire::Retries=3', '-y', '--no-install-recommends'];
// Translations of descriptions are a third of the fetched lists.
export const APT_UPDATE = ['apt-get', '-o', 'Acquire::Retries=3', '-o', 'Acquire::Languages=none', 'update'];
const NPM = ['npm', 'install', '--global', '--prefix', '/usr/local', '--no-audit', '--no-fund', '--no-update-notifier'];
const PIP = [
  ...['python3', '-m', 'pip', 'install'],
  ...['--break-system-packages', '--no-cache-dir', '--disable-pip-version-check'],
];

const PIP_PACKAGES = ['python3-pip', 'python3-venv'];

const TRUST_PATHS = { share: ADDED_CERTIFICATES, bundle: SYSTEM_BUNDLE, extra: EXTRA_CERTIFICATES };

/** A base image without a CA bundle gets one. */
export const BUNDLE_SCRIPT = withVariables(TRUST_PATHS, CA_BUNDLE);

/** Adds the host's own certificates, after the foundation and before anything is fetched. */
export function trustSteps(pem: string): BakeStep[] {
  if (pem === '') return [];
  const script = withVariables(TRUST_PATHS, HOST_TRUST);
  return [{ title: "add the host's own certificates", argv: ['/bin/sh', '-c', script], path: undefined, input: pem }];
}

/** For an image of a registry, which may have a user with the id of the sandbox's. */
export function imageUserSteps(): BakeStep[] {
  const script = withVariables({ user: AGENT_USER }, IMAGE_USER);
  return [{ title: 'prepare the user', argv: ['/bin/sh', '-c', script], path: undefined }];
}

/** Prepares each base once: the user, the CA bundle, the tools' proxy settings. */
export function foundationSteps(): BakeStep[] {
  const script = `${withVariables({ user: AGENT_USER, proxy: PROXY_URL }, FOUNDATION)}${BUNDLE_SCRIPT}`;
  return [{ title: 'prepare the system', argv: ['/bin/sh', '-c', script], path: undefined }];
}

/** Sets the variables that a script begins by requiring (`: "${user:?}"`). Values need no quotes: they are constants of this program. */
export function withVariables(variables: Record<string, string>, script: string): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  return `${lines.join('')}${script}`;
}

/**
 * Installs what is added to `installed` in a guest that runs. Safe to run again after it was cut off anywhere. Every group ends on the disk: what
 * is recorded as installed outlives a lost VM.
 */
export function installSteps(
  installed: PackageLists,
  added: PackageLists,
): { packages: BakeStep[]; setup: BakeStep[] } {
  const forPip = added.pip.length > 0 && installed.pip.length === 0 ? PIP_PACKAGES : [];
  const apt = [...new Set([...added.apt, ...forPip])];
  const fetched = [
    ...(apt.length > 0 ? [MEND_DPKG] : []),
    ...aptSteps(apt),
    ...npmSteps(added.npm),
    ...pipSteps(added.pip),
  ];
  return {
    packages: fetched.length === 0 ? [] : [...fetched, SYNC],
    setup: setupSteps(added.setup, installed.setup.length),
  };
}

const SYNC: BakeStep = { title: 'write it to the disk', argv: ['sync'], path: undefined };

/** An installation that was cut off may hold dpkg's lock for some seconds more: the code is 2 then. */
const WHILE_LOCKED =
  'for _ in 1 2 3 4 5 6 7 8 9; do "$0" "$@" && exit; code=$?; test $code = 2 || exit $code; sleep 1; done; exec "$0" "$@"';

/** Left half done where an installation was cut off */
const MEND_DPKG: BakeStep = {
  title: 'dpkg --configure -a',
  argv: ['/bin/sh', '-c', WHILE_LOCKED, 'dpkg', '--configure', '-a'],
  path: 'packages.apt',
};

/** Installs apt, npm and pip packages, in this order, and then runs the project's own lines. */
export function packageSteps({ apt, npm, pip, setup }: PackageLists): BakeStep[] {
  const forPip = pip.length > 0 ? PIP_PACKAGES : [];
  return [...aptSteps([...new Set([...apt, ...forPip])]), ...npmSteps(npm), ...pipSteps(pip), ...setupSteps(setup)];
}

function setupSteps(setup: string[], before = 0): BakeStep[] {
  return setup.map((line, index) => ({
    title: line,
    argv: ['/bin/sh', '-ec', line],
    path: `packages.setup[${before + index}]`,
  }));
}

function aptSteps(apt: string[]): BakeStep[] {
  if (apt.length === 0) return [];
  return [
    { title: 'apt-get update', argv: APT_UPDATE, path: 'packages.apt' },
    { title: `apt-get install ${apt.join(' ')}`, argv: [...APT, 'install', '--', ...apt], path: 'packages.apt' },
    { title: 'apt-get clean', argv: ['apt-get', 'clean'], path: undefined },
  ];
}

function npmSteps(npm: string[]): BakeStep[] {
  if (npm.length === 0) return [];
  const argv = [...NPM, '--', ...npm];
  return [{ title: `npm install ${npm.join(' ')}`, argv, path: 'packages.npm', npm }];
}

function pipSteps(pip: string[]): BakeStep[] {
  if (pip.length === 0) return [];
  return [{ title: `pip install ${pip.join(' ')}`, argv: [...PIP, '--', ...pip], path: 'packages.pip' }];
}

/** Writes files of the agent as the user that owns them, so that a link left by a package cannot redirect them. */
export function fileSteps(files: Record<string, string>): BakeStep[] {
  return Object.entries(files).map(([path, content]) => {
    const own = path.startsWith('~/');
    const runs = content.startsWith('#!');
    const mode = own ? (runs ? '0700' : '0600') : runs ? '0755' : '0644';
    return {
      title: `write ${path}`,
      argv: ['/bin/sh', '-c', WRITE_FILE, 'sh', own ? path.slice(2) : path, mode, own ? '077' : '022'],
      path: 'agent.files',
      user: own ? AGENT_USER : 'root',
      input: content,
    };
  });
}

/** The host's package registries, as URLs */
export interface Registries {
  npm?: string | undefined;
  pip?: string | undefined;
}

/** Environment of every command, in a bake and in a sandbox: the proxy, trust, and the registries of the host's own tools. */
export function guestEnvironment(registries: Registries): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbx/bin',
    LANG: 'C.UTF-8',
    http_proxy: PROXY_URL,
    https_proxy: PROXY_URL,
    HTTP_PROXY: PROXY_URL,
    HTTPS_PROXY: PROXY_URL,
    no_proxy: 'localhost,127.0.0.1,::1',
    NO_PROXY: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: EXTRA_CERTIFICATES,
    SSL_CERT_FILE: SYSTEM_BUNDLE,
    REQUESTS_CA_BUNDLE: SYSTEM_BUNDLE,
    GIT_SSL_CAINFO: SYSTEM_BUNDLE,
    PIP_CERT: SYSTEM_BUNDLE,
    CARGO_HTTP_CAINFO: SYSTEM_BUNDLE,
    CURL_CA_BUNDLE: SYSTEM_BUNDLE,
    DENO_CERT: SYSTEM_BUNDLE,
    AWS_CA_BUNDLE: SYSTEM_BUNDLE,
    ...(registries.npm === undefined ? {} : { npm_config_registry: registries.npm }),
    ...(registries.pip === undefined ? {} : { PIP_INDEX_URL: registries.pip }),
  };
}
