/** exec and shell: commands inside a sandbox, with its streams, its terminal and its exit code. */

import type { OpenGuest } from '../../../api/guest-upgrade.ts';
import { SbxError } from '../../../errors.ts';
import type { ExecRequest } from '../../../guest/protocol/messages.ts';
import { command, sandbox } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { daemonOf, guestOf } from '../../command/project.ts';
import { splitArgs } from '../../command/split-args.ts';
import { hasInput, isTerminal } from '../../terminal/standard-input.ts';
import { forwardSignals, rawTerminal, terminalSize } from '../../terminal/terminal.ts';
import { showOutput } from '../../view/show-output.ts';
import type { View } from '../../view/types.ts';

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
    // A word that is wrong is said before anything is started.
    const env = parseEnv(flags.env ?? []);
    if (flags.apply) await applyAll(context, view, cwd);
    return runIn(guestOf({ context, cwd, name, view }), {
      view,
      argv,
      env,
      flags,
      stdin: flags.interactive || flags.tty || !isTerminal(),
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
    if (flags.apply) await applyAll(context, view, cwd);
    const tty = isTerminal();
    return runIn(guestOf({ context, cwd, name: args[0], view }), {
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
  env?: Record<string, string>;
  flags: Partial<ExecFlags>;
  stdin: boolean;
}

async function applyAll(context: SbxContext, view: View, cwd: string): Promise<void> {
  const { applyProject } = await import('../../command/apply-project.ts');
  const client = await daemonOf(context);
  await applyProject({ context, client, view, cwd, only: [], yes: false, acceptWidening: false });
}

async function runIn(opening: Promise<OpenGuest>, request: RunRequest): Promise<number> {
  // While the daemon finds the sandbox, what speaks with it is loaded.
  const loading = import('../../../guest/client/connection.ts');
  const tty = request.flags.tty === true;
  const input = request.stdin && (tty || hasInput()) ? process.stdin : undefined;
  const { stdout, stderr } = process;
  const [{ socket, place }, { GuestConnection }] = await Promise.all([opening, loading]);
  const guest = GuestConnection.open(socket);
  const { view } = request;
  const ask: ExecRequest = {
    argv: request.argv,
    cwd: request.flags.workdir ?? place.workspace,
    env: request.env ?? {},
    stdin: input !== undefined,
    ...(request.flags.user === undefined ? {} : { user: request.flags.user }),
    ...(tty ? { tty: terminalSize() } : {}),
  };
  const child = guest.exec(ask);
  const shown = Promise.all([
    showOutput({ from: child.stdout, to: stdout, name: 'stdout', view }),
    showOutput({ from: child.stderr, to: stderr, name: 'stderr', view }),
  ]);
  const restore = tty && isTerminal() ? rawTerminal(child.resize) : forwardSignals(child.kill);
  input?.pipe(child.stdin);
  child.stdin.on('error', () => {});
  try {
    const { code, signal } = await child.exit;
    await shown;
    if (view.json) view.line({ exit: { code, ...(signal === undefined ? {} : { signal }) } }, '');
    return code;
  } finally {
    restore();
    input?.unpipe();
    input?.pause();
    // Not waited for: the process ends, and the connection with it.
    void guest[Symbol.asyncDispose]();
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
