/** `sbx rm`: removes sandboxes and their disks. */
import type { DaemonClient } from '../../../api/client.ts';
import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import { SbxError } from '../../../errors.ts';
import { type Consent, refuseLosses } from '../../../plan/loss.ts';
import type { Run } from '../../command/command.ts';
import { confirm, lossLines } from '../../command/confirm.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, ownSandboxes, resolveSandbox } from '../../command/project.ts';
import type { View } from '../../view/types.ts';

type Input = Run<{ yes: boolean; all: boolean; discard: boolean; kept: boolean }, string[]>;

export async function rm(input: Input): Promise<number> {
  const { context, view } = input;
  const client = await daemonOf(context);
  const targets = await targetsOf(client, input);
  const projects = new Set(targets.map(({ projectDir }) => projectDir));
  const list = targets.map(({ name, project }) => (projects.size > 1 ? `${project}/${name}` : name)).join(', ');
  const { yes, discard, kept } = input.flags;
  await agree(client, { view, list, targets, kept, consent: { confirmed: yes, discard } });
  for (const target of targets)
    await follow(view, `removing ${target.name}`, (signal, onEvent) =>
      client.remove(target.id, { discard: discard || !yes, confirmed: true, kept }, { signal, onEvent }),
    );
  view.result({ removed: targets.map(({ name, project }) => ({ name, project })) }, `removed ${list}`);
  return 0;
}

interface Question {
  view: View;
  /** By flags */
  consent: Consent;
  list: string;
  targets: SandboxStatus[];
  /** With what `[agent] keep` keeps */
  kept: boolean;
}

/** Names all that is lost, before the first is removed: a yes agrees to it. @throws SbxError `needs-confirmation`, `cancelled` */
async function agree(client: DaemonClient, { view, list, targets, kept, consent }: Question): Promise<void> {
  const { confirmed = false, discard = false } = consent;
  // Of one, the daemon refuses the same before anything is done.
  if (confirmed && (discard || targets.length === 1)) return;
  const found = await Promise.all(targets.map(({ id }) => client.inspect(id)));
  const losses = found.flatMap((one) => one.losses);
  if (confirmed || !view.asks) refuseLosses(losses, consent);
  if (confirmed) return;
  const lines = lossLines(losses).map((line) => `\n  ${line}`);
  const warning = lines.length === 0 ? '' : `This cannot be undone:${lines.join('')}\n`;
  await confirm(
    view,
    `${warning}Remove ${list} with ${targets.length === 1 ? 'its disk' : 'their disks'}${kept ? ', and what [agent] keep kept' : ''}?`,
  );
}

async function targetsOf(client: DaemonClient, { cwd, flags, args }: Input): Promise<SandboxStatus[]> {
  if (flags.all && args.length > 0)
    throw new SbxError('usage', '--all and names exclude each other', { hint: 'write the names, or --all' });
  if (!flags.all)
    return Promise.all((args.length === 0 ? [undefined] : args).map((name) => resolveSandbox(client, cwd, name)));
  const { own, all, list } = await ownSandboxes(client, cwd);
  if (list.length > 0) return list;
  throw new SbxError('not-found', own === undefined ? 'there are no sandboxes' : 'this folder has no sandboxes', {
    why: 'nothing was applied here',
    hint: all.length === 0 ? 'there is nothing to remove' : '`sbx ls --all` lists all sandboxes with their projects',
  });
}
