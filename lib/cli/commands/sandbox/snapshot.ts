/** `sbx snapshot`: named states of the disk of one sandbox. */
import type { SnapshotsRequest, SnapshotsResult } from '../../../api/contract.ts';
import type { Run } from '../../command/command.ts';
import { confirmed } from '../../command/confirm.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { ageOf } from '../../view/age.ts';
import { columns } from '../../view/columns.ts';
import { inOneLine } from '../../view/printable.ts';
import { size } from '../../view/size.ts';

type Input = Run<{ sandbox?: string; yes?: boolean; discard?: boolean }, [string?]>;

export const create = (input: Input) => change(input, 'create', (name, label) => `${name}: snapshot ${label} made`);
export const restore = (input: Input) =>
  change(input, 'restore', (name, label) => `${name}: disk of ${label} restored`);
export const rm = (input: Input) => change(input, 'rm', (name, label) => `${name}: snapshot ${label} removed`);
export const ls = (input: Input) => change(input, 'ls', (name, _, all) => table(name, all));

type Text = (name: string, label: string, all: SnapshotsResult['snapshots']) => string;

async function change(
  { context, cwd, args, flags, view }: Input,
  action: SnapshotsRequest['action'],
  textOf: Text,
): Promise<number> {
  const client = await daemonOf(context);
  const [label] = args;
  const { sandbox, yes = false, discard = false } = flags;
  const { id } = await resolveSandbox(client, cwd, sandbox);
  const request = { action, ...(label !== undefined && { label }) };
  const result = await confirmed({ view, yes, discard }, (consent) => client.snapshots(id, { ...request, ...consent }));
  view.result(result, textOf(result.name, label ?? '', result.snapshots));
  return 0;
}

function table(name: string, all: SnapshotsResult['snapshots']): string {
  if (all.length === 0) return `${name} has no snapshots: \`sbx snapshot create LABEL\` makes one of its stopped disk`;
  const rows = all.map(({ label, createdAt, bytes, fits }) => [
    label,
    `${ageOf(createdAt, Date.now())} ago`,
    size(bytes),
    fits ? 'yes' : 'no: of another image or other packages',
  ]);
  return columns([['LABEL', 'MADE', 'SIZE', 'FITS'], ...rows])
    .split('\n')
    .map(inOneLine)
    .join('\n');
}
