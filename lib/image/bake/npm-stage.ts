/**
 * Fetches npm packages for a bake on the host, where unpacking is many times faster than under emulation. npm runs in a jail whose
 * network is the bake's own egress proxy, with one folder to write and no scripts; the result is a tar that only the guest opens.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ISOLATED } from '../../system/isolated.ts';
import { run } from '../../system/run-tool.ts';

export interface NpmStage {
  /** As in `packages.npm` */
  packages: string[];
  /** Made here and removed again, but for the tar */
  dir: string;
  /** Folder of the bake's gateway socket */
  egress: string;
  /** Package folders of the guest's own Node and npm */
  node: string;
  npm: string;
  /** Environment of the bake: its registry */
  env: Record<string, string>;
  /** The host's extra CAs */
  trust: string;
  signal: AbortSignal | undefined;
}

/** Names from a registry, with versions, ranges or tags: nothing that git, a folder or an address gives */
const PLAIN = /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*(@[\w.^~<>=|*+-]+)?$/i;

export function canStage(packages: string[]): boolean {
  return packages.length > 0 && packages.every((entry) => PLAIN.test(entry));
}

/** The name without its version. */
export function nameOf(entry: string): string {
  return entry.replace(/(?<=.)@.*$/, '');
}

/** @throws SbxError when npm fails. @returns the tar: what belongs below /usr/local, as root's. */
export async function stageNpm(stage: NpmStage): Promise<string> {
  const work = join(stage.dir, 'npm');
  const ca = join(stage.dir, 'npm-ca.pem');
  const tar = join(stage.dir, 'npm.tar');
  await mkdir(join(work, 'tree'), { recursive: true, mode: 0o700 });
  await writeFile(ca, stage.trust);
  try {
    await writeFile(tar, '');
    await run('bwrap', [...jailArgs(stage, { work, ca, tar }), ...stage.packages], {
      signal: stage.signal,
    });
    return tar;
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(ca, { force: true });
  }
}

const PORT = 3128;

/** The packages are the script's arguments. */
const SCRIPT = `set -eu
socat TCP-LISTEN:${PORT},bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:/egress/proxy &
until socat -u OPEN:/dev/null TCP:127.0.0.1:${PORT} 2>/dev/null; do sleep 0.05; done
/node/bin/node /npm/bin/npm-cli.js install --global --prefix /stage/tree --ignore-scripts --no-audit --no-fund --no-update-notifier --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000 --loglevel=error -- "$@"
tar -C /stage/tree --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w -cf /stage.tar .`;

function jailArgs({ egress, node, npm, env }: NpmStage, paths: { work: string; ca: string; tar: string }): string[] {
  const proxy = `http://127.0.0.1:${PORT}`;
  const variables = {
    HOME: '/stage',
    https_proxy: proxy,
    http_proxy: proxy,
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    npm_config_cache: '/stage/cache',
    ...(env['npm_config_registry'] === undefined ? {} : { npm_config_registry: env['npm_config_registry'] }),
  };
  return [
    ...ISOLATED,
    '--die-with-parent',
    ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--ro-bind', node, '/node', '--ro-bind', npm, '/npm', '--ro-bind', paths.ca, '/ca.pem'],
    ...['--ro-bind', egress, '/egress', '--bind', paths.work, '/stage', '--bind', paths.tar, '/stage.tar'],
    ...['--remount-ro', '/', '--chdir', '/stage', '--', '/bin/sh', '-c', SCRIPT, 'sh'],
  ];
}
