/** Resolves `[agent]`: its commands and its files. */
import type { Place } from '../../errors.ts';
import { pathOf } from '../../spec/path-of.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import type { AgentTable } from '../schema/agent.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Home folder of the user `agent`, unless the image defines another */
const HOME = '/home/agent/';
/** Created again at each start, or not part of the image */
const TAKEN = ['/dev/', '/proc/', '/sys/', '/run/', '/tmp/', '/opt/sbx/'];

/** @throws SbxError `config-invalid`, with the entry's place. */
export function agentOf(input: SandboxInput): SandboxSpec['agent'] {
  const table: AgentTable = typeof input.config.agent === 'object' ? input.config.agent : {};
  const { args = [] } = table;
  const files = agentFilesOf(input);
  const kept = keptOf(input, table);
  const template = agentTemplateOf(input);
  return {
    name: table.name,
    command: [...(table.command ?? []), ...(table.command === undefined ? [] : args)],
    headless: withArgs(table.headless ?? [], args),
    mcpFile: table.mcp_file,
    mcpFormat: table.mcp_format,
    ...(table.mcp_entry === undefined ? {} : { mcpEntry: table.mcp_entry }),
    ...(Object.keys(files).length === 0 ? {} : { files }),
    ...kept,
    ...(template === undefined ? {} : { template }),
  };
}

/** Paths below `~`. @throws SbxError `config-invalid` for a folder in another one, and for an exception outside of them */
function keptOf({ sources }: SandboxInput, { keep = [], keep_except: except = [] }: AgentTable) {
  const folders = keep.map(belowHome);
  const left = except.map(belowHome);
  const isIn = (path: string, folder: string) => path.startsWith(`${folder}/`);
  for (const [index, path] of folders.entries()) {
    const around = folders.find((other, at) => isIn(path, other) || (other === path && at < index));
    if (around !== undefined)
      throw problem(sources[`agent.keep[${index}]`], `agent.keep: "~/${path}" is kept with "~/${around}" already`, {
        hint: 'remove one of them',
      });
  }
  return {
    ...(folders.length === 0 ? {} : { keep: folders }),
    // Of a template whose folders the project replaced: those that are not kept any more have no exceptions.
    ...withSome({ keepExcept: left.filter((path) => folders.some((folder) => isIn(path, folder))) }),
  };
}

function withSome({ keepExcept }: { keepExcept: string[] }) {
  return keepExcept.length === 0 ? {} : { keepExcept };
}

function belowHome(path: string): string {
  return path.slice(2).split('/').filter(Boolean).join('/');
}

/** The first field that the project did not set itself: a project may change a command and keeps the template. */
function agentTemplateOf({ sources, file }: SandboxInput): string | undefined {
  return ['agent.command', 'agent.headless', 'agent.name', 'agent.mcp_file']
    .map((path) => sources[path])
    .find((source): source is Place => source !== undefined && source !== 'default' && source.file !== file)?.file;
}

/** Inserts the arguments before the prompt, which ends the options. */
function withArgs(command: string[], args: string[]): string[] {
  const at = command.findIndex((word) => word.includes('{prompt}'));
  if (command.length === 0) return [];
  return at < 0 ? [...command, ...args] : [...command.slice(0, at), ...args, ...command.slice(at)];
}

/** Normalizes the paths of `[agent] files`. */
function agentFilesOf({ config, sources }: SandboxInput): Record<string, string> {
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
