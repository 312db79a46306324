/** Resolves `[mcp.servers.*]`: which folders of the host each server reads. */
import { realpath, stat } from 'node:fs/promises';
import { pathOf } from '../../spec/path-of.ts';
import type { McpServerSpec, Source } from '../../spec/spec.ts';
import { fromFile, isInside, isShowable } from './folders.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** `workspace`: its real path. @throws SbxError `config-invalid`, with the place. */
export async function mcpServersOf(input: SandboxInput, workspace: string): Promise<McpServerSpec[]> {
  const servers: McpServerSpec[] = [];
  for (const [name, { command, folders = [], tools }] of Object.entries(input.config.mcp?.servers ?? {})) {
    const at = pathOf(['mcp', 'servers', name]);
    const source = input.sources[`${at}.command`] ?? input.sources[at] ?? 'default';
    const paths: string[] = [];
    for (const folder of folders)
      paths.push(await folderOf(folder, { source: input.sources[`${at}.folders`] ?? source, input, workspace }));
    servers.push({ name, command, folders: paths, ...(tools === undefined ? {} : { tools }), source });
  }
  return servers;
}

async function folderOf(
  text: string,
  { source, input, workspace }: { source: Source; input: SandboxInput; workspace: string },
): Promise<string> {
  const refuse = (why: string, hint: string) =>
    problem(source, `mcp.servers: ${text} cannot be a folder of a server`, { why, hint });
  const path = await realpath(fromFile(text, source, input)).catch(() => undefined);
  if (path === undefined || !(await stat(path)).isDirectory())
    throw refuse('it is not a folder', 'use the path of an existing folder');
  if (!(await isShowable(path, input.host)))
    throw refuse('it is, or contains, a system folder, your home folder or the state of sbx', 'use a folder below it');
  const shared = [workspace, ...(await mountsOf(input))].find((one) => isInside(path, one) || isInside(one, path));
  if (shared !== undefined)
    throw refuse(
      `the sandbox has ${shared}: it could change what runs on the host, and would see its hidden files`,
      'use a folder that the sandbox does not have',
    );
  return path;
}

async function mountsOf(input: SandboxInput): Promise<string[]> {
  const found: string[] = [];
  for (const [index, { host }] of (input.config.mounts ?? []).entries()) {
    const path = fromFile(host, input.sources[`mounts[${index}]`], input);
    found.push(await realpath(path).catch(() => path));
  }
  return found;
}
