/** A host's folder as a set of paths, and questions about it in one line. */
import {
  compileWorkspacePolicy,
  type WorkspacePolicy,
  type WorkspaceRules,
} from '../../../../lib/workspace/policy/compile.ts';
import { decideWorkspace } from '../../../../lib/workspace/policy/decide.ts';
import type { EntryKind, WorkspaceFacts, WorkspaceOperation } from '../../../../lib/workspace/policy/types.ts';

type Lists = 'hide' | 'readonly' | 'private' | 'unprotect';
type Written = Partial<Record<Lists, string[]>> & Partial<Omit<WorkspaceRules, Lists>>;

export const FILE = '/project/sandbox.toml';
export const OPERATIONS: readonly WorkspaceOperation[] = [
  'lookup',
  'list',
  'read',
  'write',
  'create',
  'remove',
  'rename-from',
  'rename-to',
  'link',
  'metadata',
];

export function policyOf(written: Written = {}): WorkspacePolicy {
  const entries = (texts: string[] = []) =>
    texts.map((text, index) => ({ text, source: { file: FILE, line: index + 1, column: 1 } }));
  return compileWorkspacePolicy({
    configFiles: [],
    fold: (name) => name,
    ...written,
    hide: entries(written.hide),
    readonly: entries(written.readonly),
    private: entries(written.private),
    unprotect: entries(written.unprotect),
  });
}

/** `a/` is a folder, `a@` a link, else a file; the folders above come by themselves. */
export function hostOf(paths: readonly string[] = []): Map<string, EntryKind> {
  const host = new Map<string, EntryKind>();
  for (const path of paths) {
    const clean = path.replace(/[/@]$/, '');
    const names = clean.split('/');
    for (let length = 1; length < names.length; length += 1) host.set(names.slice(0, length).join('/'), 'folder');
    host.set(clean, path.endsWith('/') ? 'folder' : path.endsWith('@') ? 'link' : 'file');
  }
  return host;
}

export function factsOf(host: Map<string, EntryKind>, more: Partial<WorkspaceFacts> = {}): WorkspaceFacts {
  return { entry: (path) => host.get(path), ...more };
}

export interface Asked {
  host?: readonly string[];
  policy?: WorkspacePolicy;
  kind?: EntryKind;
  facts?: Partial<WorkspaceFacts>;
}

/** The verdict in one word; `own` is private with nothing of the host. */
export function ask(operation: WorkspaceOperation, path: string, asked: Asked = {}): string {
  const { host = [], policy = policyOf(), facts = {} } = asked;
  const isMade = operation === 'create' || operation === 'rename-to';
  const kind = asked.kind ?? (isMade ? 'file' : undefined);
  const { verdict, lower } = decideWorkspace(policy, { path, kind, operation, facts: factsOf(hostOf(host), facts) });
  return verdict === 'private' && !lower ? 'own' : verdict;
}

/** A repository of the host */
export const repository = (folder: string) =>
  ['HEAD', 'objects/', 'refs/', 'config', 'hooks/pre-commit', 'index'].map((name) => `${folder}/${name}`);
