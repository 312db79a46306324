/** `sbx mcp log`: shows the calls of MCP tools. */
import { readFileSync } from 'node:fs';
import { type CallRecord, ROTATED } from '../../../mcp/call-log.ts';
import { instancePaths } from '../../../paths.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

const SHOWN_MAX = 160;

export async function log({ context, cwd, view, flags, args }: Run<{ lines?: number }, [string?]>): Promise<number> {
  const { id } = await resolveSandbox(await daemonOf(context), cwd, args[0]);
  const { log: path } = instancePaths(context.home, id).mcp;
  const records = [...recordsOf(`${path}${ROTATED}`), ...recordsOf(path)];
  const first = flags.lines === undefined ? 0 : Math.max(0, records.length - flags.lines);
  for (const record of records.slice(first)) view.line(record, callLine(record));
  return 0;
}

function recordsOf(path: string): CallRecord[] {
  return linesOf(path).flatMap((line) => {
    try {
      return [JSON.parse(line) as CallRecord];
    } catch {
      return [];
    }
  });
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function callLine({ time, verdict, server, tool, durationMs, arguments: given, result }: CallRecord): string {
  const short = (text: string) => (text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`);
  const words = [time, verdict.padEnd('denied'.length), `${server}/${tool}`, short(given)];
  return inOneLine(`${words.join('  ')} → ${short(result)}  ${durationMs} ms`);
}
