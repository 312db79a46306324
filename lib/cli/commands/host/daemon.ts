/** `sbx daemon`: status, stop and logs of the background process; none of them starts it. */
import { DaemonClient } from '../../../api/client.ts';
import { running } from '../../../api/connection.ts';
import { endDaemon } from '../../../api/stop-daemon.ts';
import type { Run } from '../../command/command.ts';
import { confirmed } from '../../command/confirm.ts';
import { type LogFlags, showLog } from '../../command/log-file.ts';

export async function status({ context, view }: Run): Promise<number> {
  const found = await new DaemonClient(running(context.home)).status().catch(() => undefined);
  if (found === undefined) view.result({ running: false }, 'not running; the next command starts it');
  else
    view.result(
      { running: true, ...found },
      `running since ${found.startedAt}, process ${found.pid}, ${found.sandboxes} sandboxes, ${found.waiting} pooled clones, ${Math.round(found.memoryBytes / 1024 ** 2)} MiB`,
    );
  return 0;
}

export async function stop({ context: { home }, view, flags }: Run<{ yes: boolean }>): Promise<number> {
  const client = new DaemonClient(running(home));
  const stopped = await confirmed({ view, yes: flags.yes }, ({ confirmed: agreed = false }) =>
    endDaemon(client, { home, confirmed: agreed }),
  );
  view.result({ stopped }, stopped ? 'stopped' : 'not running');
  return 0;
}

export async function logs({ context, view, flags }: Run<LogFlags>): Promise<number> {
  return showLog(context.home.daemon.log, flags, view);
}
