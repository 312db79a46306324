/** `sbx run`: runs the agent of a sandbox, with or without a terminal. */
import type { DaemonClient } from '../../../api/client.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { parsePort, type WantedPort } from '../../command/port-text.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { splitArgs } from '../../command/split-args.ts';
import { headlessArgv, interactiveArgv } from '../../run/agent-argv.ts';
import { runHeadless } from '../../run/headless.ts';
import { holdPorts } from '../../run/held-ports.ts';
import { setPromptAside } from '../../run/prompt-argument.ts';
import { readySandbox } from '../../run/ready-sandbox.ts';
import { endSessions, runDetached, runOnTerminal } from '../../run/sessions.ts';
import { detachKeys } from '../../terminal/detach-keys.ts';

const USAGE = 'sbx run [NAME] [-- ARGS…], or sbx run [NAME] --headless "PROMPT"';

interface RunFlags {
  headless?: string;
  detach: boolean;
  detachKeys: string;
  publish?: string[];
  interactive: boolean;
  end: boolean;
  yes: boolean;
  acceptWidening: boolean;
}

type Input = Run<RunFlags, string[]>;

export async function run(input: Input): Promise<number> {
  const { context, cwd, view, flags, args } = input;
  const { argv, prompt } = setPromptAside(context.process.argv.slice(2));
  const { name, command: more, more: tooMany } = splitArgs(argv, args, USAGE);
  if (tooMany.length > 0 || (prompt !== undefined && more !== undefined))
    throw new SbxError('usage', 'unexpected arguments', { hint: `write: ${USAGE}` });
  if (prompt === '-' && flags.interactive)
    throw new SbxError('usage', 'stdin is already used for the prompt', {
      hint: 'remove -i, or pass the prompt as an argument',
    });
  const publish = (flags.publish ?? []).map(parsePort);
  if (flags.detach && publish.length > 0)
    throw new SbxError('usage', '--publish and --detach are mutually exclusive', {
      why: '--publish opens a port while the command runs',
      hint: 'a port that stays: sbx ports --publish HOST:GUEST',
    });
  const client = await daemonOf(context);
  if (flags.end) return endSessions({ client, sandbox: await resolveSandbox(client, cwd, name) }, view);
  const text = prompt === '-' ? await readAll(context.process.stdin) : prompt;
  return text === undefined
    ? interactive(input, { client, name, publish }, more ?? [])
    : headless(input, { client, name, publish }, text);
}

interface Target {
  client: DaemonClient;
  /** Undefined: the project's only sandbox */
  name: string | undefined;
  publish: WantedPort[];
}

/** On a terminal the agent gets one as well; without, its arguments describe the work, and it has the caller's stdin with `-i` only. */
async function interactive(input: Input, { client, name, publish }: Target, args: string[]): Promise<number> {
  const { context, cwd, view, flags } = input;
  const { stdin, stdout } = context.process;
  const onTerminal = stdin.isTTY === true && stdout.isTTY === true && !view.json;
  if (!onTerminal && !flags.detach && args.length === 0)
    throw new SbxError('usage', 'the agent needs a terminal', {
      why: view.json ? '--json is for runs without a terminal' : 'stdin or stdout is not a terminal',
      hint: 'write: sbx run --headless "PROMPT"; or sbx run -d, and attach later',
    });
  detachKeys(flags.detachKeys);
  const join = args.length === 0;
  const ready = await readySandbox({ context, client, view, cwd, name, join, ...flags });
  const argv = interactiveArgv(ready.agent, args);
  const { sandbox } = ready;
  if (flags.detach) return runDetached({ client, sandbox }, { argv, terminal: true, join }, view);
  using _ports = await holdPorts({ context, sandbox, publish, view });
  if (onTerminal) return await runOnTerminal({ client, sandbox }, { argv, join, keys: flags.detachKeys });
  return await runHeadless({ client, sandbox }, { argv, input: flags.interactive ? stdin : undefined }, view);
}

async function headless(input: Input, { client, name, publish }: Target, prompt: string): Promise<number> {
  const { context, cwd, view, flags } = input;
  const { agent, sandbox } = await readySandbox({ context, client, view, cwd, name, join: false, ...flags });
  const { argv, input: text } = headlessArgv(agent, prompt);
  if (!flags.detach) {
    const stdin = flags.interactive ? context.process.stdin : undefined;
    using _ports = await holdPorts({ context, sandbox, publish, view });
    return await runHeadless({ client, sandbox }, { argv, input: text ?? stdin }, view);
  }
  if (text !== undefined || flags.interactive)
    throw new SbxError('usage', 'a detached session cannot read stdin', {
      why: flags.interactive ? '-i passes stdin on' : 'the headless command of this agent reads its prompt from stdin',
      hint: flags.interactive ? 'remove -d or -i' : 'remove -d',
    });
  return runDetached({ client, sandbox }, { argv, terminal: false, join: false }, view);
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString().trimEnd();
}
