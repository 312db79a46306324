/** Writes allow entries into sandbox.toml and approves exactly these entries. */
import { readFile } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import type { DaemonClient } from '../../../api/client.ts';
import { addListEntry } from '../../../config/toml/add-list-entry.ts';
import { parseText } from '../../../config/toml/read-toml.ts';
import { SbxError } from '../../../errors.ts';
import { onlyAdded } from '../../../plan/widening.ts';
import type { ProjectSpec } from '../../../spec/spec.ts';
import type { SbxContext } from '../../command/context.ts';
import { readProject } from '../../command/project.ts';

export interface SaveRequest {
  context: Pick<SbxContext, 'home'>;
  client: Pick<DaemonClient, 'approve'>;
  cwd: string;
  /** As in the list of the file */
  entries: string[];
  /** Into this sandbox's own table; undefined: into the project's */
  sandbox: string | undefined;
  /** The user named the entries: the next apply does not ask for them again */
  approve: boolean;
}

export interface Saved {
  file: string;
  entries: string[];
  /** The next apply asks nothing */
  approved: boolean;
}

/** @throws SbxError `config-invalid`: the list cannot be extended without other changes; the file is unchanged. */
export async function saveAllow(request: SaveRequest): Promise<Saved> {
  const { context, client, cwd, entries } = request;
  const before = await readProject(context, cwd);
  const file = before.files[0] ?? '';
  const text = await readFile(file, 'utf8');
  const path = listPath(text, before, request.sandbox);
  const edited = entries.reduce<string | undefined>(
    (so, entry) => (so === undefined ? undefined : addListEntry(so, { path, entry })),
    text,
  );
  if (edited === undefined) throw cannotExtend(file, path, entries);
  if (edited !== text) await writeFileAtomic(file, edited);
  const after = await readProject(context, cwd).catch(async (error: unknown) => {
    await writeFileAtomic(file, text);
    throw error;
  });
  // Another process may have changed the file, or a template, at the same moment.
  const approved =
    request.approve && onlyAdded(before, after, entries) && (await client.approve({ before, after })).approved;
  return { file, entries, approved };
}

/** The sandbox's own table, if the file has more than one sandbox. */
function listPath(text: string, project: ProjectSpec, sandbox: string | undefined): string[] {
  if (sandbox === undefined) return ['network', 'allow'];
  if (!project.sandboxes.some(({ name }) => name === sandbox))
    throw new SbxError('not-found', `sandbox.toml has no sandbox "${sandbox}"`, {
      hint: `its sandboxes are: ${project.sandboxes.map(({ name }) => name).join(', ')}`,
    });
  const { sandboxes = {} } = parseText(text) as { sandboxes?: Record<string, { count?: number }> };
  const stem = Object.entries(sandboxes).find(
    ([key, { count }]) => sandbox === key || (count !== undefined && sandbox.replace(/-\d+$/, '') === key),
  )?.[0];
  return stem === undefined ? ['network', 'allow'] : ['sandboxes', stem, 'network', 'allow'];
}

function cannotExtend(file: string, path: string[], entries: string[]): SbxError {
  return new SbxError('config-invalid', `could not add to ${path.join('.')}`, {
    place: { file, line: 1, column: 1 },
    why: 'its form in the file does not allow an addition without other changes',
    hint: `add ${entries.map((entry) => JSON.stringify(entry)).join(', ')} to it manually, then run \`sbx apply\``,
  });
}
