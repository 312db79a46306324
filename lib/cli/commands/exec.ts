/** exec and shell: commands inside a sandbox, with its streams, its terminal and its exit code. */

import type { SandboxStatus } from '../../daemon/api.ts';
import type { DaemonClient } from '../../daemon/client.ts';
import { SbxError } from '../../errors.ts';
import type { ExecRequest } from '../../guest/services.ts';
import { applyProject } from '../apply-project.ts';
import { command, sandbox } from '../command.ts';
import { daemonOf, resolveSandbox } from '../project.ts';
import { showOutput } from '../show-output.ts';
import { splitArgs } from '../split-args.ts';
import { forwardSignals, rawTerminal, terminalSize } from '../terminal.ts';
import type { View } from '../view/types.ts';

interface ExecFlags {
  interactive: boolean;
  tty: boolean;
  user?: string;
  workdir?: string;
  env?: readonly string[];
  apply: boolean;
}

const FLAGS = {
  interactive: { kind: 'boolean', brief: 'Pass stdin on', default: false },
  tty: { kind: 'boolean', brief: 'Give the command a terminal', default: false },
  user: { kind: 'parsed', parse: String, brief: 'User inside; default: agent', optional: true },
  workdir: { kind: 'parsed', parse: String, brief: 'Folder inside; default: the workspace', optional: true },
  env: { kind: 'parsed', parse: String, brief: 'NAME=VALUE, may be repeated', optional: true, variadic: true },
  apply: { kind: 'boolean', brief: 'Apply sandbox.toml first', default: false },
};
const ALIASES = { i: 'interactive', t: 'tty', u: 'user', w: 'workdir', e: 'env' };

export const exec = command<ExecFlags, string[]>({
  brief: 'Runs a command in a sandbox: sbx exec [NAME] -- CMD…',
  parameters: {
    flags: FLAGS,
    aliases: ALIASES,
    positional: {
      kind: 'array',
      parameter: sandbox('The sandbox, then -- and the command', 'arg'),
    },
  },
  async run({ context, cwd, view, flags, args }) {
    const { name, command, more } = splitArgs(context.process.argv, args, 'sbx exec [NAME] -- CMD…');
    const argv = command ?? more;
    if (argv.length === 0)
      throw new SbxError('usage', 'no command is given', { hint: 'write: sbx exec [NAME] -- CMD…' });
    const client = await daemonOf(context);
    if (flags.apply) await applyProject({ context, client, view, cwd, only: [], yes: false, acceptWidening: false });
    return runIn(client, await resolveSandbox(client, cwd, name), {
      view,
      argv,
      flags,
      stdin: flags.interactive || flags.tty || !context.process.stdin.isTTY,
    });
  },
});

export const shell = command<{ user?: string; apply: boolean }, [string?]>({
  brief: 'Opens a shell in a sandbox',
  parameters: {
    flags: { user: FLAGS.user, apply: FLAGS.apply },
    aliases: { u: 'user' },
    positional: {
      kind: 'tuple',
      parameters: [{ ...sandbox('The sandbox'), optional: true }],
    },
  },
  async run({ context, cwd, view, flags, args }) {
    const client = await daemonOf(context);
    if (flags.apply) await applyProject({ context, client, view, cwd, only: [], yes: false, acceptWidening: false });
    const tty = context.process.stdin.isTTY === true;
    return runIn(client, await resolveSandbox(client, cwd, args[0]), {
      view,
      argv: ['/bin/sh', '-c', 'command -v bash >/dev/null && exec bash -l || exec sh -l'],
      flags: { ...flags, tty, interactive: true },
      stdin: true,
    });
  },
});

interface RunRequest {
  view: View;
  argv: string[];
  flags: Partial<ExecFlags>;
  stdin: boolean;
}

async function runIn(client: DaemonClient, sandbox: SandboxStatus, request: RunRequest): Promise<number> {
  const { GuestConnection } = await import('../../guest/client.ts');
  await using guest = await GuestConnection.connect(await client.guest(sandbox.id), { fresh: true });
  const { stdin, stdout, stderr } = process;
  const { view } = request;
  const tty = request.flags.tty === true;
  const ask: ExecRequest = {
    argv: request.argv,
    cwd: request.flags.workdir ?? sandbox.workspace,
    env: parseEnv(request.flags.env ?? []),
    stdin: request.stdin,
    ...(request.flags.user === undefined ? {} : { user: request.flags.user }),
    ...(tty ? { tty: terminalSize() } : {}),
  };
  const child = guest.exec(ask);
  const shown = Promise.all([
    showOutput({ from: child.stdout, to: stdout, name: 'stdout', view }),
    showOutput({ from: child.stderr, to: stderr, name: 'stderr', view }),
  ]);
  const restore = tty && stdin.isTTY ? rawTerminal(child.resize) : forwardSignals(child.kill);
  if (request.stdin) stdin.pipe(child.stdin);
  child.stdin.on('error', () => {});
  try {
    const { code, signal } = await child.exit;
    await shown;
    if (view.json) view.line({ exit: { code, ...(signal === undefined ? {} : { signal }) } }, '');
    return code;
  } finally {
    restore();
    stdin.unpipe();
    stdin.pause();
  }
}

function parseEnv(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=');
      if (at < 1)
        throw new SbxError('usage', `--env ${entry} is not NAME=VALUE`, { hint: 'write for example -e DEBUG=1' });
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
