/** Runs a command in a sandbox and passes on its streams, its signals and its exit code. */
import { GuestConnection } from '../../../guest/client/connection.ts';
import type { ExecRequest, ExecResult } from '../../../guest/protocol/messages.ts';
import { applyProject } from '../../command/apply-project.ts';
import type { Run } from '../../command/command.ts';
import type { WantedPort } from '../../command/port-text.ts';
import { daemonOf, guestOf } from '../../command/project.ts';
import { callerOf } from '../../run/caller.ts';
import { holdPorts } from '../../run/held-ports.ts';
import { forwardSignals, rawTerminal, terminalSize } from '../../terminal/terminal.ts';
import { sayOutOfMemory } from '../../view/out-of-memory.ts';
import { inOneLine } from '../../view/printable.ts';
import { showOutput } from '../../view/show-output.ts';
import { folderInside } from './exec-place.ts';
import { folderThatExists } from './missing-folder.ts';

type Input = Pick<Run, 'context' | 'cwd' | 'view'>;

interface GuestCommand {
  /** The sandbox; undefined: the project's only one */
  name: string | undefined;
  argv: string[];
  env?: Record<string, string>;
  user: string | undefined;
  /** Relative to the workspace */
  workdir?: string | undefined;
  /** Give the command a terminal */
  tty: boolean;
  /** Pass stdin on */
  stdin: boolean;
  /** Ports of the host that are open while it runs */
  publish?: WantedPort[];
}

export async function applyAll({ context, view, cwd }: Input): Promise<void> {
  const client = await daemonOf(context);
  await applyProject({ context, client, view, cwd, only: [], yes: false, acceptWidening: false });
}

export async function runInGuest({ context, cwd, view }: Input, command: GuestCommand): Promise<number> {
  const { name, tty } = command;
  const { stdin, stdout, stderr } = process;
  const { socket, place } = await guestOf({ context, cwd, name, view });
  const guest = GuestConnection.open(socket);
  const input = command.stdin ? stdin : undefined;
  const wanted = folderInside(place.workspace, cwd, command.workdir);
  const isChosen = command.workdir !== undefined;
  const note = (line: string) => void (view.json || stderr.write(`${inOneLine(line)}\n`));
  const folder = await folderThatExists(guest, { wanted, isChosen, workspace: place.workspace, note });
  using _ports = await holdPorts({ context, sandbox: place, publish: command.publish ?? [], view });
  const child = guest.exec(requestOf(command, folder));
  const shown = Promise.all([
    showOutput({ from: child.stdout, to: stdout, name: 'stdout', view }),
    showOutput({ from: child.stderr, to: stderr, name: 'stderr', view }),
  ]);
  const ping = () => guest.request('ping', {});
  const restore =
    tty && stdin.isTTY ? rawTerminal({ resize: child.resize, ping, ends: true }) : forwardSignals(child.kill);
  input?.pipe(child.stdin);
  child.stdin.on('error', () => {});
  try {
    const result = await child.exit;
    await shown;
    restore();
    if (!view.json) sayOutOfMemory(result);
    if (view.json) view.line({ exit: exitOf(result) }, '');
    return result.code;
  } finally {
    restore();
    input?.unpipe();
    input?.pause();
    // Not awaited: the process ends, and the connection with it.
    void guest[Symbol.asyncDispose]();
  }
}

/** What is said of an end with `--json`. The guest's answer may have more. */
function exitOf({ code, signal, outOfMemory }: ExecResult): ExecResult {
  return { code, ...(signal === undefined ? {} : { signal }), ...(outOfMemory === true ? { outOfMemory } : {}) };
}

function requestOf({ argv, env = {}, user, tty, stdin }: GuestCommand, cwd: string): ExecRequest {
  return {
    argv,
    cwd,
    env,
    stdin,
    caller: callerOf(process.env),
    ...(user === undefined ? {} : { user }),
    ...(tty ? { tty: terminalSize() } : {}),
  };
}
