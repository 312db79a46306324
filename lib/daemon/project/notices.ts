/** Warns of a project's credentials that will not work, and of hidden files that git tracks. */
import type { Notice } from '../../api/project-contract.ts';
import { shownFile } from '../../config/load/templates.ts';
import { parseAuthority } from '../../gateway/address/canonical-host.ts';
import { compilePolicy, decide } from '../../gateway/policy/policy.ts';
import { policyOf } from '../../gateway/policy/spec-policy.ts';
import type { CredentialSpec, SandboxSpec, Source } from '../../spec/spec.ts';
import { shownText } from '../../workspace/git/shown-text.ts';

export interface NoticeFacts {
  spec: SandboxSpec;
  isSet: (secret: string) => boolean;
  /** Why its commits cannot be signed now */
  unsigned?: string | undefined;
  /** Files of the workspace that git tracks and `hide` hides */
  trackedHidden?: string[];
}

const SHOWN = 5;

/** One notice for each cause, also where several sandboxes share it. Pure. */
export function noticesOf(facts: NoticeFacts[]): Notice[] {
  const all = facts.flatMap(({ spec, isSet, unsigned, trackedHidden = [] }) => [
    ...unset(spec, isSet),
    ...uncovered(spec),
    ...cannotSign(spec, unsigned),
    ...deletedInside(spec, trackedHidden),
  ]);
  return [...new Map(all.map((notice) => [notice.message, notice])).values()];
}

function unset({ credentials }: SandboxSpec, isSet: (secret: string) => boolean): Notice[] {
  const alternatives = (one: CredentialSpec) => credentials.filter(({ host }) => host === one.host);
  return credentials.flatMap((one): Notice[] => {
    // Templates list alternatives: one that is set is enough.
    if (alternatives(one).some(({ secret }) => isSet(secret))) return [];
    const names = [...new Set(alternatives(one).map(({ secret }) => secret))];
    const message = `no secret for ${one.host} is set: run ${names.map((name) => `\`sbx secret set ${name}\``).join(' or ')}`;
    return [{ message, source: one.source }];
  });
}

function uncovered(spec: SandboxSpec): Notice[] {
  const policy = compilePolicy(policyOf(spec));
  return spec.credentials.flatMap(({ host, env, source }): Notice[] => {
    const endpoint = parseAuthority(host, 443);
    const verdict = endpoint === undefined ? undefined : decide(policy, endpoint);
    if (verdict === undefined || (verdict.allow && verdict.reason === 'rule')) return [];
    const why = verdict.reason === 'default-deny' ? 'no allow rule covers it' : verdict.detail;
    return [{ message: `${env} is for ${host}, which no request can reach: ${why}${placeOf(source)}`, source }];
  });
}

function cannotSign({ sources }: SandboxSpec, why: string | undefined): Notice[] {
  if (why === undefined) return [];
  return [{ message: `commits in the sandbox cannot be signed: ${why}`, source: sources['git.sign'] ?? 'default' }];
}

function deletedInside({ sources }: SandboxSpec, files: string[]): Notice[] {
  if (files.length === 0) return [];
  const more = files.length > SHOWN ? ` and ${files.length - SHOWN} more` : '';
  const source = sources['workspace.hide'] ?? 'default';
  const what = `git tracks files that are hidden in the sandbox: ${files.slice(0, SHOWN).map(shownText).join(', ')}${more}`;
  const fix = 'remove them from `hide`, or from the repository by `git rm --cached`';
  return [
    { message: `${what}. Git inside takes them for deleted, and \`git commit -a\` commits that: ${fix}`, source },
  ];
}

function placeOf(source: Source): string {
  return source === 'default' ? '' : ` (${shownFile(source.file)}:${source.line})`;
}
