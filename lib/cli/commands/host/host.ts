/** doctor, gc, daemon: the host's side. */
import { running } from '../../../api/connection.ts';
import { SbxError } from '../../../errors.ts';
import { command } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';

const MARKS = { ok: 'ok      ', warning: 'warning ', failed: 'FAILED  ' } as const;

export const doctor = command<{ fix: boolean }>({
  brief: 'Checks this host, with a cure for each failure',
  parameters: {
    flags: { fix: { kind: 'boolean', brief: 'Install what is missing, with sudo when not root', default: false } },
  },
  async run({ context, view, flags }) {
    const { runChecks } = await import('../../doctor/checks.ts');
    let checks = await runChecks(context.home);
    const packages = [...new Set(checks.flatMap((check) => check.packages ?? []))];
    if (flags.fix && packages.length > 0) {
      await install(packages);
      checks = await runChecks(context.home);
    }
    const failed = checks.filter(({ status }) => status === 'failed');
    const lines = checks.map(
      (check) =>
        `${MARKS[check.status]}${check.name}: ${check.message}${check.cure === undefined ? '' : `\n          cure: ${check.cure}`}`,
    );
    view.result({ ok: failed.length === 0, checks }, lines.join('\n'));
    return failed.length === 0 ? 0 : 1;
  },
});

async function install(packages: string[]): Promise<void> {
  // Lists that cannot be fetched anew may still do: installing shows it.
  await aptGet(['update', '-q']);
  const { code, command } = await aptGet(['install', '-y', '--no-install-recommends', ...packages]);
  if (code === 0) return;
  throw new SbxError('tool-missing', 'the missing packages could not be installed', {
    why: code === undefined ? 'there is neither root nor sudo' : `${command} ended with ${code}`,
    hint: `install them by hand: ${packages.join(' ')}`,
  });
}

/** Spawned with the user's terminal, where sudo asks. Its output goes to stderr: stdout is for the result. */
async function aptGet(args: string[]): Promise<{ code: number | undefined; command: string }> {
  const [command = '', ...rest] = [...(process.getuid?.() === 0 ? [] : ['sudo']), 'apt-get', ...args];
  const { spawn } = await import('node:child_process');
  const code = await new Promise<number | undefined>((resolve) => {
    const child = spawn(command, rest, { stdio: ['inherit', 2, 2] });
    child.once('error', () => resolve(undefined));
    child.once('exit', (status) => resolve(status ?? 1));
  });
  return { code, command: [command, ...rest].join(' ') };
}

export const gc = command<{ dryRun: boolean }>({
  brief: 'Frees layers that no sandbox uses',
  parameters: { flags: { dryRun: { kind: 'boolean', brief: 'Only show what would go', default: false } } },
  async run({ context, view, flags }) {
    const result = await (await daemonOf(context)).gc({ dryRun: flags.dryRun });
    const size = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
    const lines = result.items.map(
      (item) => `${size(item.bytes).padStart(12)}  ${item.kind}-${item.key}: ${item.reason}`,
    );
    view.result(result, [...lines, `${flags.dryRun ? 'would free' : 'freed'} ${size(result.freedBytes)}`].join('\n'));
    return 0;
  },
});

export const daemonStatus = command({
  brief: 'Shows whether the daemon runs',
  parameters: {},
  async run({ context, view }) {
    const { DaemonClient } = await import('../../../api/client.ts');
    const status = await new DaemonClient(running(context.home)).status().catch(() => undefined);
    if (status === undefined) view.result({ running: false }, 'not running; any command starts it');
    else {
      view.result(
        { running: true, ...status },
        `running since ${status.startedAt}, process ${status.pid}, ${status.sandboxes} sandboxes, ${status.waiting} clones waiting, ${Math.round(status.memoryBytes / 1024 ** 2)} MiB`,
      );
    }
    return 0;
  },
});

export const daemonStop = command({
  brief: 'Ends the daemon; the virtual machines go on, with the network shut',
  parameters: {},
  async run({ context, view }) {
    const { DaemonClient } = await import('../../../api/client.ts');
    const { endDaemon } = await import('../../../api/stop-daemon.ts');
    const stopped = await endDaemon(new DaemonClient(running(context.home)), context.home);
    view.result({ stopped }, stopped ? 'ended' : 'it was not running');
    return 0;
  },
});
