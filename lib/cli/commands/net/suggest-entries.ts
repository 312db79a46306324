/** What `net suggest` does: reads the log, makes entries of it, shows or saves them. Returns the exit code. */

import type { DaemonClient } from '../../../api/client.ts';
import { readAudit } from '../../../gateway/audit/audit-reader.ts';
import { compilePolicy } from '../../../gateway/policy/policy.ts';
import { policyOf } from '../../../gateway/policy/spec-policy.ts';
import { type Suggestions, suggest } from '../../../gateway/policy/suggest.ts';
import type { AuditRecord } from '../../../gateway/policy/types.ts';
import { systemResolver } from '../../../gateway/upstream/resolver.ts';
import { instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { Run } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { daemonOf, readProject, registriesOf, resolveSandbox } from '../../command/project.ts';
import { suggestionText } from '../../view/suggestion-text.ts';
import { saveAllow } from './save-allow.ts';

export type SuggestInput = Run<{ save: boolean }, [string?]>;

export async function suggestEntries({ context, cwd, view, flags, args }: SuggestInput): Promise<number> {
  const client = await daemonOf(context);
  const { id, name, projectDir } = await resolveSandbox(client, cwd, args[0]);
  const spec = await specOf({ context, client, projectDir, id, name });
  const found = suggest({
    records: await recordsOf(context, id),
    policy: compilePolicy(policyOf(spec)),
    presets: (await registriesOf(context.home)).hosts,
    own: systemResolver().ownAddresses(),
  });
  const entries = found.suggestions.map(({ entry }) => entry);
  if (flags.save && entries.length > 0) {
    // They come from what the sandbox did: the person still sees them at the next apply, and approves them there.
    await saveAllow({ context, client, cwd: projectDir, entries, sandbox: name, approve: false });
  }
  const saved = flags.save && entries.length > 0;
  view.result({ sandbox: name, ...found, saved }, textOf(name, found, saved));
  return 0;
}

interface Wanted {
  context: SbxContext;
  client: DaemonClient;
  projectDir: string;
  id: string;
  name: string;
}

/** As the file says now: what was saved into it is not suggested again. Without a file, as it was applied. */
async function specOf({ context, client, projectDir, id, name }: Wanted): Promise<SandboxSpec> {
  const project = await readProject(context, projectDir).catch(() => undefined);
  return project?.sandboxes.find((spec) => spec.name === name) ?? (await client.inspect(id)).spec;
}

async function recordsOf(context: SbxContext, id: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  const wanted = ({ verdict }: AuditRecord) => verdict === 'deny' || verdict === 'observe';
  const reading = { follow: false, signal: new AbortController().signal, wanted };
  for await (const record of readAudit(instancePaths(context.home, id).audit, reading)) records.push(record);
  return records;
}

function textOf(name: string, found: Suggestions, saved: boolean): string {
  const next = saved
    ? 'They are in sandbox.toml: `sbx apply` shows them and asks.'
    : 'One of them: `sbx net allow ENTRY --save`. All of them: `sbx net suggest --save`.';
  return [suggestionText(name, found), ...(found.suggestions.length === 0 ? [] : [next])].join('\n');
}
