/** `sbx net suggest`: suggests allow entries from the audit log, and can save them. */
import type { DaemonClient } from '../../../api/client.ts';
import { readAudit } from '../../../gateway/audit/audit-reader.ts';
import { compilePolicy } from '../../../gateway/policy/policy.ts';
import { suggest as makeSuggestions, type Suggestions } from '../../../gateway/policy/suggest.ts';
import type { AuditRecord } from '../../../gateway/policy/types.ts';
import { systemResolver } from '../../../gateway/upstream/resolver.ts';
import { withOrganisation } from '../../../organisation/check-project.ts';
import { readOrganisation } from '../../../organisation/policy-file.ts';
import { instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { livePolicy, readLive } from '../../../state/grants.ts';
import type { Run } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { daemonOf, readProject, registriesOf, resolveSandbox } from '../../command/project.ts';
import { suggestionText } from '../../view/suggestion-text.ts';
import { saveAllow } from './save-allow.ts';

export async function suggest({ context, cwd, view, flags, args }: Run<{ save: boolean }, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const { id, name, projectDir } = await resolveSandbox(client, cwd, args[0]);
  const spec = await specOf({ context, client, projectDir, id, name });
  const found = makeSuggestions({
    records: await recordsOf(context, id),
    // Grants end: what they allow is suggested for the file all the same.
    policy: compilePolicy(
      withOrganisation(
        livePolicy(spec, { grants: [], denials: readLive(context.home, id).denials }),
        readOrganisation(),
      ),
    ),
    presets: (await registriesOf(context.home)).hosts,
    own: systemResolver().ownAddresses(),
  });
  const entries = found.suggestions.map(({ entry }) => entry);
  const saved = flags.save && entries.length > 0;
  // The entries come from requests of the sandbox: the user reviews and approves them at the next apply.
  if (saved) await saveAllow({ context, client, cwd: projectDir, entries, sandbox: name, approve: false });
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

/** From the file, so that saved entries are not suggested again; without a file, the applied spec. */
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
    ? 'They are in sandbox.toml: `sbx apply` shows them and asks for approval.'
    : 'To save one of them: `sbx net allow ENTRY --save`; all of them: `sbx net suggest --save`.';
  return [suggestionText(name, found), ...(found.suggestions.length === 0 ? [] : [next])].join('\n');
}
