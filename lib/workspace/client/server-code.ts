/** Finds what Node needs to run the server's bundle; each part is bound read-only where the bundle looks for it. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SbxError } from '../../errors.ts';
import type { JailCode } from './server-jail.ts';

const SCOPE = '@koromix';

/**
 * A package can be a link to where it lies, as pnpm makes them: in the jail it takes the place of the link.
 * @throws SbxError `workspace` when the installation is incomplete
 */
export function serverCode(distDir: string): { script: string; code: JailCode[] } {
  const script = join(realpathSync(distDir), 'workspace-server.js');
  const koffi = found(script, 'koffi');
  const source = realpathSync(koffi);
  const natives = found(join(source, 'package.json'), SCOPE);
  const code = [
    at(dirname(script)),
    { source, target: koffi },
    ...readdirSync(natives).map((name) => ({
      source: realpathSync(join(natives, name)),
      target: join(dirname(koffi), SCOPE, name),
    })),
    at(process.execPath),
  ];
  // What lies below /usr is in every jail already.
  return { script, code: code.filter(({ target }) => !target.startsWith('/usr/')) };
}

/** Where a module would look for a package. */
function found(module: string, name: string): string {
  const folders = createRequire(module).resolve.paths(name) ?? [];
  const path = folders.map((folder) => join(folder, name)).find((one) => existsSync(one));
  if (path !== undefined) return path;
  throw new SbxError('workspace', 'the workspace server is not installed completely', {
    why: `${module} needs ${name}, which is in none of the folders above it`,
    hint: 'install sbx again, with its optional dependencies',
  });
}

function at(path: string): JailCode {
  return { source: path, target: path };
}
