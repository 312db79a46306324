/** `sbx secret ls`: lists the secrets without their values. */
import type { SecretInfo } from '../../../secrets/types.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { columns } from '../../view/columns.ts';
import { inOneLine } from '../../view/printable.ts';
import { scopeText } from './secret-scope.ts';

export async function ls({ context, view }: Run): Promise<number> {
  const secrets = await (await daemonOf(context)).secrets();
  const rows = secrets.map((one) => ({ ...one, ageSeconds: ageOf(one) }));
  view.result(rows, rows.length === 0 ? 'no secrets: `sbx secret set NAME` sets one' : table(rows));
  return 0;
}

function ageOf({ setAt }: SecretInfo): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(setAt)) / 1_000));
}

function table(rows: (SecretInfo & { ageSeconds: number })[]): string {
  const cells = rows.map((one) => [
    one.name,
    one.source.kind === 'command' ? `command: ${one.source.argv.join(' ')}` : one.store,
    scopeText(one.scope),
    age(one.ageSeconds),
  ]);
  return columns([['NAME', 'WHERE', 'FOR', 'SET'], ...cells])
    .split('\n')
    .map(inOneLine)
    .join('\n');
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
}
