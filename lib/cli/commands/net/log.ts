/** net log: what a sandbox tried to reach, and the verdicts. */
import { SbxError } from '../../../errors.ts';
import { instancePaths } from '../../../paths.ts';
import { command, maybeName, parseCount } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { auditLine } from '../../view/audit-line.ts';

interface Flags {
  follow: boolean;
  denied: boolean;
  host?: string;
  lines?: number;
}

export const log = command<Flags, [string?]>({
  brief: 'Shows what a sandbox tried to reach, and the verdicts',
  parameters: {
    flags: {
      follow: { kind: 'boolean', brief: 'Go on as verdicts come', default: false },
      denied: {
        kind: 'boolean',
        brief: 'Only what was denied, or would have been but for mode "observe"',
        default: false,
      },
      host: { kind: 'parsed', parse: String, brief: 'Only this host, *.host or CIDR', optional: true },
      lines: { kind: 'parsed', parse: parseCount, brief: 'Only the last records', optional: true },
    },
    aliases: { f: 'follow', n: 'lines' },
    positional: maybeName(),
  },
  async run({ context, cwd, view, flags, args }) {
    const { auditFilter } = await import('../../../gateway/audit/audit-filter.ts');
    const { readAudit } = await import('../../../gateway/audit/audit-reader.ts');
    const { denied, host, follow, lines } = flags;
    const wanted = auditFilter({ denied, host });
    if (wanted === undefined)
      throw new SbxError('usage', `${host} is no host`, {
        hint: 'write a host, *.host, **.host, an address or a CIDR',
      });
    const { id } = await resolveSandbox(await daemonOf(context), cwd, args[0]);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    const reading = { follow, signal: abort.signal, wanted, last: lines };
    for await (const record of readAudit(instancePaths(context.home, id).audit, reading))
      view.line(record, auditLine(record));
    return 0;
  },
});
