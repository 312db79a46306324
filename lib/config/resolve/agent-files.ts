/** Normalizes the paths of `[agent] files`. */
import { pathOf } from '../../spec/path-of.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Home folder of the user `agent`, unless the image defines another */
const HOME = '/home/agent/';
/** Created again at each start, or not part of the image */
const TAKEN = ['/dev/', '/proc/', '/sys/', '/run/', '/tmp/', '/opt/sbx/'];

/** @throws SbxError `config-invalid`, with the entry's place. */
export function agentFilesOf({ config, sources }: SandboxInput): Record<string, string> {
  const files = typeof config.agent === 'object' ? (config.agent.files ?? {}) : {};
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => {
      const clean = cleanPath(path);
      if (clean !== undefined) return [clean, content];
      throw problem(sources[pathOf(['agent', 'files', path])], `agent.files: invalid path "${path}"`, {
        why: 'it must be a file below ~ or an absolute path, without "..", and not in a folder that each start creates again',
        hint: 'write "~/.my-agent.toml" or "/etc/my-agent.toml"',
      });
    }),
  );
}

function cleanPath(path: string): string | undefined {
  if (!/^~?\//.test(path) || path.endsWith('/') || path.split('/').includes('..')) return undefined;
  const clean = path
    .split('/')
    .filter((part, index) => index === 0 || (part !== '' && part !== '.'))
    .join('/');
  if (clean === '' || clean === '~' || TAKEN.some((folder) => clean.startsWith(folder))) return undefined;
  return clean.startsWith(HOME) ? `~/${clean.slice(HOME.length)}` : clean;
}
