/** run: the agent of a sandbox, on its terminal or without one. */
import type { DaemonClient } from '../../../api/client.ts';
import { SbxError } from '../../../errors.ts';
import { command, type Run, sandbox } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { splitArgs } from '../../command/split-args.ts';
import { headlessArgv, interactiveArgv } from '../../run/agent-argv.ts';
import { runHeadless } from '../../run/headless.ts';
import { setPromptAside } from '../../run/prompt-argument.ts';
import { readySandbox } from '../../run/ready-sandbox.ts';
import { endSessions, runDetached, runOnTerminal } from '../../run/sessions.ts';
import { DETACH_KEYS, detachKeys } from '../../terminal/detach-keys.ts';

const USAGE = 'sbx run [NAME] [-- ARGS…], or sbx run [NAME] --headless "PROMPT"';

interface RunFlags {
  headless?: string;
  detach: boolean;
  detachKeys: string;
  interactive: boolean;
  end: boolean;
  yes: boolean;
  acceptWidening: boolean;
}

export const runAgent = command<RunFlags, string[]>({
  brief: 'Runs the agent of a sandbox, applying what is needed: sbx run [NAME] [-- ARGS…]',
  parameters: {
    flags: {
      headless: {
        kind: 'parsed',
        parse: String,
        brief: 'Without a terminal, with this prompt; -: from stdin',
        placeholder: 'prompt',
        optional: true,
      },
      detach: { kind: 'boolean', brief: 'Start it and return at once', default: false },
      detachKeys: { kind: 'parsed', parse: String, brief: 'Keys that leave the terminal', default: DETACH_KEYS },
      interactive: { kind: 'boolean', brief: 'With --headless: pass stdin on', default: false },
      end: { kind: 'boolean', brief: 'End what runs of the agent', default: false },
      yes: { kind: 'boolean', brief: 'Ask nothing; changes that widen are still refused', default: false },
      acceptWidening: { kind: 'boolean', brief: 'Accept changes that give a sandbox more', default: false },
    },
    aliases: { d: 'detach', i: 'interactive', y: 'yes' },
    positional: {
      kind: 'array',
      parameter: sandbox('The sandbox, then -- and arguments of the agent', 'arg'),
    },
  },
  async run(input) {
    const { context, cwd, view, flags, args } = input;
    const { argv, prompt } = setPromptAside(context.process.argv.slice(2));
    const { name, command: more, more: tooMany } = splitArgs(argv, args, USAGE);
    if (tooMany.length > 0 || (prompt !== undefined && more !== undefined))
      throw new SbxError('usage', 'too much is asked at once', { hint: `write: ${USAGE}` });
    if (prompt === '-' && flags.interactive)
      throw new SbxError('usage', 'stdin is the prompt already', { hint: 'leave out -i, or give the prompt' });
    const client = await daemonOf(context);
    if (flags.end) return endSessions(client, await resolveSandbox(client, cwd, name), view);
    const text = prompt === '-' ? await readAll(context.process.stdin) : prompt;
    return text === undefined ? interactive(input, client, name, more ?? []) : headless(input, client, name, text);
  },
});

type Input = Run<RunFlags, readonly string[]>;

/** On a terminal the agent has one as well; without, its arguments say what it does, and it runs on the caller's streams. */
async function interactive(input: Input, client: DaemonClient, name: string | undefined, args: string[]) {
  const { context, cwd, view, flags } = input;
  const { stdin, stdout } = context.process;
  const onTerminal = stdin.isTTY === true && stdout.isTTY === true && !view.json;
  if (!onTerminal && !flags.detach && args.length === 0)
    throw new SbxError('usage', 'the agent needs a terminal, and there is none', {
      why: view.json ? '--json gives events of a run without one' : 'stdin or stdout is not a terminal',
      hint: 'write: sbx run --headless "PROMPT"; or sbx run -d, and go there later',
    });
  detachKeys(flags.detachKeys);
  const join = args.length === 0;
  const ready = await readySandbox({ context, client, view, cwd, name, join, ...flags });
  const argv = interactiveArgv(ready.agent, args);
  if (flags.detach) return runDetached(client, ready.sandbox, { argv, terminal: true, join }, view);
  if (onTerminal) return runOnTerminal(client, ready.sandbox, { argv, join, keys: flags.detachKeys });
  return runHeadless(client, ready.sandbox, { argv, input: stdin.isTTY ? undefined : stdin }, view);
}

async function headless(input: Input, client: DaemonClient, name: string | undefined, prompt: string) {
  const { context, cwd, view, flags } = input;
  const ready = await readySandbox({ context, client, view, cwd, name, join: false, ...flags });
  const { argv, input: text } = headlessArgv(ready.agent, prompt);
  if (!flags.detach)
    return runHeadless(
      client,
      ready.sandbox,
      { argv, input: text ?? (flags.interactive ? process.stdin : undefined) },
      view,
    );
  if (text !== undefined || flags.interactive)
    throw new SbxError('usage', 'nobody could give it its input', {
      why: flags.interactive ? '-i passes stdin on' : 'the headless command of this agent reads its prompt from stdin',
      hint: 'leave out -d, or -i',
    });
  return runDetached(client, ready.sandbox, { argv, terminal: false, join: false }, view);
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString().trimEnd();
}
