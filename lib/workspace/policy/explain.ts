/** Explains the decisions on a path in plain text: `sbx workspace check`. */

import type { WorkspacePolicy } from './compile.ts';
import { decideWorkspace } from './decide.ts';
import { SETTINGS_ROWS } from './protected/settings-rows.ts';
import type { WorkspaceDecision, WorkspaceFacts, WorkspaceRule } from './types.ts';

export interface WorkspaceExplanation {
  path: string;
  read: WorkspaceDecision;
  write: WorkspaceDecision;
  /** What to write to change it; undefined: nothing can */
  hint: string | undefined;
  lines: string[];
}

interface ExplainRequest {
  /** Relative to the workspace; of what does not exist, a slash at the end says that a folder is meant */
  path: string;
  facts: WorkspaceFacts;
}

/** `write` is what a change of the entry gets, or its creation when the host has none. */
export function explainWorkspace(
  policy: WorkspacePolicy,
  { path: written, facts }: ExplainRequest,
): WorkspaceExplanation {
  const path = written.replace(/\/$/, '');
  const found = facts.entry(path);
  const request = { path, facts, kind: found ?? (written.endsWith('/') ? 'folder' : 'file') } as const;
  const read = decideWorkspace(policy, { ...request, operation: 'read' });
  const write = decideWorkspace(policy, { ...request, operation: found === undefined ? 'create' : 'write' });
  const rule = write.rule ?? read.rule;
  const hint = rule === undefined ? undefined : hintOf(rule, path);
  const lines = [`read: ${readText(read)}`, `write: ${writeText(write)}`, `rule: ${ruleText(rule)}`];
  return { path, read, write, hint, lines: hint === undefined ? lines : [...lines, `to change it: ${hint}`] };
}

function readText({ verdict, lower }: WorkspaceDecision): string {
  if (verdict === 'hidden') return 'hidden: no such file';
  if (verdict !== 'private') return "the host's entry";
  return lower ? "the sandbox's own version, or else the host's" : "the sandbox's own only";
}

function writeText({ verdict }: WorkspaceDecision): string {
  const texts = {
    pass: "the host's entry",
    hidden: 'refused',
    'read-only': 'refused: read-only',
    private: "the private layer of the sandbox; the host's entry never changes",
  };
  return texts[verdict];
}

function ruleText(rule: WorkspaceRule | undefined): string {
  if (rule === undefined) return 'none';
  const { text, reason } = rule;
  return `${text} (${placeOf(rule)}): ${reason}`;
}

function placeOf({ source }: WorkspaceRule): string {
  if (source === undefined) return 'built in';
  return source === 'default' ? 'default' : `${source.file}:${source.line}`;
}

function hintOf({ id, source, text }: WorkspaceRule, path: string): string | undefined {
  if (source !== undefined)
    return source === 'default' ? undefined : `remove the entry in ${placeOf({ id, source, text, reason: '' })}`;
  if (id === 'layer') return 'accept or discard it with `sbx accept` or `sbx reset`';
  const isBuiltIn = id.startsWith('git-') || id in SETTINGS_ROWS;
  // A repository is opened as a whole: a part of it alone would be none.
  const opened = id === 'git-new' ? text : path;
  return isBuiltIn
    ? `unprotect = [${JSON.stringify(opened)}] under [workspace], if the host may run what the agent writes there`
    : undefined;
}
