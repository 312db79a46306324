/** `sbx net revoke`: takes back what `net allow` and `net deny` added, and names the rules of files, which it cannot. */
import type { RevokeResult } from '../../../api/live-contract.ts';
import type { SandboxDetail } from '../../../api/sandbox-status.ts';
import { shortPath } from '../../../config/load/load-project.ts';
import { SbxError } from '../../../errors.ts';
import type { NetworkRule, SandboxSpec } from '../../../spec/spec.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { assertNoSandbox, entryOf } from './live-rule.ts';

/** Exit code when an entry is still in force by a file, or was never added */
const NOT_ALL = 1;

export async function revoke(input: Run<{ sandbox?: string }, string[]>): Promise<number> {
  const { context, cwd, view, flags, args } = input;
  const entries = [...new Set(args.map((word) => entryOf('network', word)))];
  const client = await daemonOf(context);
  assertNoSandbox(entries, await client.list());
  const { id } = await resolveSandbox(client, cwd, flags.sandbox);
  const before = await client.inspect(id);
  const { revoked, live } = await client.revoke(id, { entries });
  const outcomes = entries.map((entry) => outcomeOf(entry, revoked, before.spec));
  if (outcomes.every(({ was }) => was.length === 0)) throw nothingRevoked(outcomes, before, cwd);
  view.result({ sandbox: before.name, live, entries: outcomes }, outcomes.map((one) => lineOf(one, cwd)).join('\n'));
  return outcomes.every(({ was }) => was.length > 0) ? 0 : NOT_ALL;
}

export interface Outcome {
  entry: string;
  /** What was revoked; empty: nothing from the command line */
  was: ('allow' | 'deny')[];
  /** Rules with the same entry that stay, as they are not from the command line */
  stays: { list: 'allow' | 'deny'; file?: string; line?: number }[];
}

/** What became of one entry. Pure. */
export function outcomeOf(entry: string, revoked: RevokeResult['revoked'], spec: SandboxSpec): Outcome {
  const isIn = (rules: { text: string; pattern: string }[]) =>
    rules.some(({ text, pattern }) => text === entry || pattern === entry);
  const staying = (list: 'allow' | 'deny') =>
    spec.network[list].filter((rule) => isIn([rule])).map((rule) => ({ list, ...placeOf(rule) }));
  return {
    entry,
    was: [...(isIn(revoked.grants) ? (['allow'] as const) : []), ...(isIn(revoked.denials) ? (['deny'] as const) : [])],
    stays: [...staying('allow'), ...staying('deny')],
  };
}

function placeOf({ source }: NetworkRule): { file?: string; line?: number } {
  return source === 'default' ? {} : { file: source.file, line: source.line };
}

function lineOf({ entry, was, stays }: Outcome, cwd: string): string {
  const [rule] = stays;
  const done = was.map((list) => `sbx net ${list}`).join(' and ');
  const rest = rule === undefined ? '' : `${WORD[rule.list]} by ${whereOf(rule, cwd)}`;
  if (was.length === 0)
    return `${entry}: not revoked: ${rest === '' ? 'neither `net allow` nor `net deny` added it' : `it is ${rest}; ${fixOf(rule)}`}`;
  return `${entry}: revoked (${done})${rest === '' ? '' : `; it stays ${rest}`}`;
}

const WORD = { allow: 'allowed', deny: 'denied' } as const;

function fixOf(rule: Outcome['stays'][number] | undefined): string {
  return `change the file and run \`sbx apply\`${rule?.list === 'allow' ? ', or deny it with `sbx net deny`' : ''}`;
}

function whereOf({ file, line }: Outcome['stays'][number], cwd: string): string {
  return file === undefined ? 'a default of sbx' : `${shortPath(file, cwd)}:${line ?? 1}`;
}

function nothingRevoked(outcomes: Outcome[], { name, grants, denials }: SandboxDetail, cwd: string): SbxError {
  const fixed = outcomes.find(({ stays }) => stays.length > 0);
  const entries = outcomes.map(({ entry }) => entry).join(', ');
  if (fixed?.stays[0] !== undefined) {
    const [rule] = fixed.stays;
    return new SbxError('refused-policy', `${fixed.entry} cannot be revoked`, {
      why: `it is ${WORD[rule.list]} by ${whereOf(rule, cwd)}, not by the command line`,
      hint: fixOf(rule),
    });
  }
  const known = [...new Set([...grants, ...denials].map(({ text }) => text))];
  return new SbxError('not-found', `nothing to revoke for ${name}: ${entries}`, {
    why: 'neither `sbx net allow` nor `sbx net deny` added it',
    hint: known.length === 0 ? '`sbx net check` shows the rule of a host' : `what can be revoked: ${known.join(', ')}`,
  });
}
