/** From the command line to a project and its sandboxes. */

import { readFile, realpath } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import type { HostFacts } from '../config/load.ts';
import type { ProjectSpec } from '../config/spec.ts';
import type { SandboxStatus } from '../daemon/api.ts';
import type { DaemonClient } from '../daemon/client.ts';
import { SbxError } from '../errors.ts';
import type { Home } from '../paths.ts';
import type { SbxContext } from './context.ts';

export async function readProject(context: SbxContext, cwd: string): Promise<ProjectSpec> {
  const { loadProject } = await import('../config/load.ts');
  return loadProject({ cwd, host: await hostFacts(context.home) });
}

async function hostFacts(home: Home): Promise<HostFacts> {
  const { readRegistries } = await import('../config/presets.ts');
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?`, 'm').exec(text)?.[1] ?? '';
  return {
    cpus: cpus().length,
    home: homedir(),
    os: { id: field('ID'), codename: field('VERSION_CODENAME') },
    registries: () => readRegistries(`${home.root}/registries.json`),
  };
}

export async function daemonOf(context: SbxContext): Promise<DaemonClient> {
  const { connectDaemon } = await import('../daemon/launch.ts');
  return connectDaemon({ home: context.home, distDir: context.distDir });
}

/** A bare name means this project's sandbox; elsewhere it must be the only one of its name, or be written PROJECT/NAME. Without a name: the project's only one. */
export async function resolveSandbox(
  client: DaemonClient,
  cwd: string,
  name: string | undefined,
): Promise<SandboxStatus> {
  const all = await client.list();
  const here = await realpath(cwd);
  const own = all.filter(({ projectDir }) => here === projectDir || here.startsWith(`${projectDir}/`));
  if (name === undefined) {
    const [only, ...more] = own;
    if (only === undefined)
      throw new SbxError('not-found', 'there is no sandbox of this folder', {
        hint: 'run `sbx apply` first, or name one of `sbx ls`',
      });
    if (more.length > 0)
      throw new SbxError('ambiguous-name', 'this project has more than one sandbox', {
        hint: `name one: ${own.map((one) => one.name).join(', ')}`,
      });
    return only;
  }
  const [project, bare] = name.includes('/') ? name.split('/', 2) : [undefined, name];
  const matching = (list: SandboxStatus[]) =>
    list.filter((one) => one.name === bare && (project === undefined || one.project === project));
  const found = matching(own).length > 0 ? matching(own) : matching(all);
  const [only, ...more] = found;
  if (only === undefined)
    throw new SbxError('not-found', `there is no sandbox "${name}"`, {
      hint:
        all.length === 0
          ? 'run `sbx apply` in a project'
          : `there are: ${all.map((one) => `${one.project}/${one.name}`).join(', ')}`,
    });
  if (more.length > 0)
    throw new SbxError('ambiguous-name', `more than one sandbox is named "${name}"`, {
      why: found.map((one) => one.projectDir).join(', '),
      hint: 'write PROJECT/NAME, or run the command in its project',
    });
  return only;
}
