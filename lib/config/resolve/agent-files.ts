/** `[agent] files`: paths inside, in one spelling each. */
import { pathOf } from '../../spec/path-of.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Where the user `agent` lives, unless the image has one of its own */
const HOME = '/home/agent/';
/** Made anew at each start, or not the image's to change */
const TAKEN = ['/dev/', '/proc/', '/sys/', '/run/', '/tmp/', '/opt/sbx/'];

/** @throws SbxError `config-invalid`, with the entry's place. */
export function agentFilesOf({ config, sources }: SandboxInput): Record<string, string> {
  const files = typeof config.agent === 'object' ? (config.agent.files ?? {}) : {};
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => {
      const clean = cleanPath(path);
      if (clean !== undefined) return [clean, content];
      throw problem(sources[pathOf(['agent', 'files', path])], `agent.files: "${path}" is no place for a file`, {
        why: 'it must be a file below ~ or an absolute path, without "..", and not in a folder that each start makes anew',
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
