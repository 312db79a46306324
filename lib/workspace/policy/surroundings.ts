/** What a project in a subfolder shows of its repository's work tree: enough for git to see that a file is unchanged, and no content. */
import type { Finding, Step } from './findings.ts';
import type { WorkspaceRule } from './types.ts';

/** Git reads them for the folders below; what they say is no secret of a project beside this one. */
const READABLE = new Set(['.gitignore', '.gitattributes', '.gitmodules', '.mailmap']);

/** For a root whose policy has `around`: the folders in it that are served as roots of their own. */
export function surroundingFindings({ policy, above, name, folded, kind, path }: Step): Finding[] {
  const { around } = policy;
  if (around === undefined || around.parents.has(folded) || around.paths.has(folded)) return [];
  // Below one of them the rules of its own root decide; and git would open a repository beside the project.
  if (around.paths.has(above.folded) || name === policy.dotGit) return [hidden(path)];
  if (kind === 'folder') return [hidden(path, ['list'])];
  const isReadable = kind === 'file' && READABLE.has(name);
  return [hidden(path, isReadable ? ['list'] : ['list', 'read'])];
}

function hidden(path: string, operations?: Finding['operations']): Finding {
  const rule: WorkspaceRule = {
    id: 'around',
    text: path,
    reason: 'it is outside of the project: git inside compares its size and its times, nothing more is shown',
  };
  return { verdict: 'hidden', lower: false, rule, ...(operations === undefined ? {} : { operations }) };
}
