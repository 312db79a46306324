/** `sbx ls`: lists the sandboxes of this project, or of all projects. */

import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, ownSandboxes } from '../../command/project.ts';
import { ageOf } from '../../view/age.ts';
import { columns } from '../../view/columns.ts';
import { size } from '../../view/size.ts';
import { hasFolder, sessionOf, troublesOf, whyOf } from './condition-text.ts';

export async function ls({ context, cwd, view, flags }: Run<{ all: boolean; quiet: boolean }>): Promise<number> {
  const client = await daemonOf(context);
  const found = await ownSandboxes(client, cwd);
  const list = flags.all ? found.all : found.list;
  const now = Date.now();
  const hasPorts = list.some(({ ports }) => ports.some(({ url }) => url !== null));
  const rows = list.map((one) => [
    one.name,
    one.project,
    [one.state, ...troublesOf(one)].join(', '),
    ageOf(one.createdAt, now),
    one.agent ?? '-',
    sessionOf(one, now),
    size(one.diskBytes),
    ...(hasPorts ? [portsOf(one)] : []),
    one.projectDir,
    whyOf(one, hasFolder(one)),
  ]);
  const head = [
    'NAME',
    'PROJECT',
    'STATE',
    'AGE',
    'AGENT',
    'SESSION',
    'DISK',
    ...(hasPorts ? ['PORTS'] : []),
    'FOLDER',
    'WHY',
  ];
  const table = columns([head, ...rows]);
  const others = found.all.length - list.length;
  const more = others === 0 ? [] : [`${others} more of other projects: sbx ls --all`];
  const none = more.length === 0 ? 'no sandboxes; run `sbx init` to begin' : 'no sandboxes of this project';
  if (flags.quiet)
    view.result(
      list.map(({ id }) => id),
      list.map(({ id }) => id).join('\n'),
    );
  else view.result(list, [rows.length === 0 ? none : table, ...more].join('\n'));
  return 0;
}

/** Addresses to open; a port that is not open has none. */
function portsOf({ ports }: Pick<SandboxStatus, 'ports'>): string {
  const urls = ports.flatMap(({ url }) => url ?? []);
  return urls.length === 0 ? '-' : urls.join(' ');
}
