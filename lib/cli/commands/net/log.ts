/** `sbx net log`: shows the requests of a sandbox and their verdicts. */
import { SbxError } from '../../../errors.ts';
import { auditFilter, readAudit } from '../../../gateway/audit/audit-reader.ts';
import { instancePaths } from '../../../paths.ts';
import type { Run } from '../../command/command.ts';
import { endOnSignal } from '../../command/interrupt.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { auditLine } from '../../view/audit-line.ts';

interface Flags {
  follow: boolean;
  denied: boolean;
  host?: string;
  lines?: number;
}

export async function log({ context, cwd, view, flags, args }: Run<Flags, [string?]>): Promise<number> {
  const { denied, host, follow, lines } = flags;
  const wanted = auditFilter({ denied, host });
  if (wanted === undefined)
    throw new SbxError('usage', `invalid host: ${host}`, {
      hint: 'write a host, *.host, **.host, an address or a CIDR',
    });
  const { id } = await resolveSandbox(await daemonOf(context), cwd, args[0]);
  using _signals = endOnSignal();
  const reading = { follow, signal: new AbortController().signal, wanted, last: lines };
  for await (const record of readAudit(instancePaths(context.home, id).audit, reading))
    view.line(record, auditLine(record));
  return 0;
}
