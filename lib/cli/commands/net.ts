/** net log and net check. */
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import type { AuditRecord } from '../../gateway/types.ts';
import { command } from '../command.ts';
import { readLines } from '../follow-file.ts';
import { daemonOf, readProject, resolveSandbox } from '../project.ts';

export const log = command<{ follow: boolean; denied: boolean; lines?: number }, [string?]>({
  brief: 'Shows what a sandbox tried to reach, and the verdicts',
  parameters: {
    flags: {
      follow: { kind: 'boolean', brief: 'Go on as verdicts come', default: false },
      denied: { kind: 'boolean', brief: 'Only what was denied', default: false },
      lines: { kind: 'parsed', parse: Number, brief: 'Only the last lines', optional: true },
    },
    aliases: { f: 'follow', n: 'lines' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, brief: 'The sandbox', placeholder: 'name', optional: true }],
    },
  },
  async run({ context, cwd, view, flags, args }) {
    const client = await daemonOf(context);
    const { instanceDir } = await client.inspect((await resolveSandbox(client, cwd, args[0])).id);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    for await (const line of readLines(join(instanceDir, 'audit.jsonl'), {
      last: flags.lines,
      follow: flags.follow,
      signal: abort.signal,
    })) {
      const record = parseRecord(line);
      if (record === undefined || (flags.denied && record.verdict !== 'deny')) continue;
      view.line(record, describe(record));
    }
    return 0;
  },
});

export const check = command<{ sandbox?: string; method?: string }, [string]>({
  brief: 'Says what would happen to a request, with the rule, without making it',
  parameters: {
    flags: {
      sandbox: { kind: 'parsed', parse: String, brief: 'The sandbox; default: the only one', optional: true },
      method: { kind: 'parsed', parse: String, brief: 'HTTP method', optional: true },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, brief: 'host, host:port or URL', placeholder: 'where' }],
    },
  },
  async run({ context, cwd, view, flags, args }) {
    const { compilePolicy } = await import('../../gateway/policy.ts');
    const { checkUrl } = await import('../../gateway/explain.ts');
    const { policyOf } = await import('../../daemon/spec-parts.ts');
    const project = await readProject(context, cwd);
    const spec =
      flags.sandbox === undefined ? project.sandboxes[0] : project.sandboxes.find(({ name }) => name === flags.sandbox);
    if (spec === undefined) throw new SbxError('not-found', `sandbox.toml names no sandbox "${flags.sandbox}"`);
    const verdict = checkUrl(compilePolicy(policyOf(spec)), args[0]);
    if (verdict === undefined)
      throw new SbxError('usage', `${args[0]} is no host that a request could name`, {
        hint: 'write host, host:port, or an http(s) address',
      });
    const word = verdict.allow ? 'allowed' : 'denied';
    view.result(
      { sandbox: spec.name, ...verdict },
      `${verdict.host}:${verdict.port} is ${word}: ${verdict.detail}\n${verdict.hint}`,
    );
    return verdict.allow ? 0 : 4;
  },
});

function parseRecord(line: string): AuditRecord | undefined {
  try {
    return JSON.parse(line) as AuditRecord;
  } catch {
    return undefined;
  }
}

function describe(record: AuditRecord): string {
  const rule =
    record.rule === undefined
      ? ''
      : ` · ${record.rule.text}${record.rule.file === undefined ? '' : ` (${record.rule.file}:${record.rule.line})`}`;
  const traffic =
    record.bytesUp === undefined ? '' : ` · ${record.bytesUp} up, ${record.bytesDown} down, ${record.durationMs} ms`;
  const path = record.path === undefined ? '' : record.path;
  return `${record.time} ${record.verdict.padEnd(6)} ${record.method ?? '-'} ${record.host}:${record.port}${path} · ${record.reason}${rule}${record.address === undefined ? '' : ` → ${record.address}`}${traffic}`;
}
