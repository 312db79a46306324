/** Runs a verb on one sandbox: resolves it, asks if something would be lost, follows the work. */
import type { DaemonClient, StreamOptions } from '../../../api/client.ts';
import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import type { Consent } from '../../../plan/loss.ts';
import type { Run } from '../../command/command.ts';
import { confirmed } from '../../command/confirm.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';

export type StateInput = Run<{ yes: boolean; discard?: boolean; suspend?: boolean }, [string?]>;

interface Change {
  /** Shown with the name while it runs: "stopping" */
  doing: string;
  work: (client: DaemonClient, sandbox: { id: string } & Consent, options: StreamOptions) => Promise<SandboxStatus>;
}

export async function changeState({ context, cwd, args, flags, view }: StateInput, change: Change): Promise<number> {
  const client = await daemonOf(context);
  const sandbox = await resolveSandbox(client, cwd, args[0]);
  const after = await confirmed({ view, ...flags }, (consent) =>
    follow(view, `${change.doing} ${sandbox.name}`, (signal, onEvent) =>
      change.work(client, { id: sandbox.id, ...consent }, { signal, onEvent }),
    ),
  );
  view.result(after, `${after.name}: ${after.state}`);
  return 0;
}
