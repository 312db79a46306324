/** A project in a folder of its own, for one test. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadProject } from '../../../lib/config/load/load-project.ts';
import type { HostFacts } from '../../../lib/config/resolve/host-facts.ts';
import { SbxError } from '../../../lib/errors.ts';
import type { ProjectSpec } from '../../../lib/spec/spec.ts';

export function hostFacts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    cpus: 8,
    home: '/home/nobody-here',
    os: { id: 'debian', codename: 'trixie' },
    registries: async () => ({
      hosts: {
        npm: [
          { host: 'npm.test', port: 443 },
          { host: 'scoped.test', port: 8443 },
        ],
        apt: [{ host: 'apt.test', port: 80 }],
        pip: [{ host: 'pip.test', port: 443 }],
        cargo: [{ host: 'cargo.test', port: 443 }],
        go: [{ host: 'go.test', port: 443 }],
        maven: [{ host: 'maven.test', port: 443 }],
        rubygems: [{ host: 'rubygems.test', port: 443 }],
      },
      npm: 'https://npm.test/',
      pip: undefined,
    }),
    ...changes,
  };
}

/** Folder with these files, removed after the test. */
export async function makeProject(files: Record<string, string | Buffer>): Promise<string> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-config-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

/** The spec of a project that is one sandbox.toml. */
export async function load(text: string, host: HostFacts = hostFacts()): Promise<ProjectSpec> {
  return loadProject({ cwd: await makeProject({ 'sandbox.toml': text }), host });
}

/** The error that loading gives; anything but an SbxError fails the test. */
export async function failure(loading: Promise<unknown>): Promise<SbxError> {
  const error = await loading.then(
    () => new Error('it loaded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof SbxError) return error;
  throw new Error('not an SbxError', { cause: error });
}
