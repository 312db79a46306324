/** Builds the argv of the agent from its spec and the arguments, or the prompt, of the command line. Pure. */
import { SbxError } from '../../errors.ts';
import type { AgentSpec } from '../../spec/spec.ts';

/** Longest single argument of the kernel, with its NUL, in bytes */
const ARGUMENT_MAX = 128 * 1024;
const PLACE = '{prompt}';

type Agent = AgentSpec & { name: string | undefined };

/** @throws SbxError `config-invalid`: the spec has no command. */
export function interactiveArgv(agent: Agent, args: readonly string[]): string[] {
  if (agent.command.length > 0) return [...agent.command, ...args];
  throw new SbxError('config-invalid', 'sandbox.toml has no agent to run', {
    why: agent.name === undefined ? 'it sets no `agent`' : `the template "${agent.name}" has no [agent] command`,
    hint: 'set agent = "shell" or another template, or [agent] command = ["…"]; `sbx shell` needs no agent',
  });
}

/**
 * Puts the prompt into one argument, or part of one; a command without `{prompt}` reads it from stdin.
 * @throws SbxError `config-invalid`, `usage`
 */
export function headlessArgv(agent: Agent, prompt: string): { argv: string[]; input: string | undefined } {
  if (agent.headless.length === 0)
    throw new SbxError('config-invalid', 'sandbox.toml has no agent that runs without a terminal', {
      why: agent.name === undefined ? 'it sets no `agent`' : `the template "${agent.name}" has no [agent] headless`,
      hint: `set agent = "shell" or another template, or [agent] headless = ["…", "${PLACE}"]`,
    });
  if (prompt.trim() === '')
    throw new SbxError('usage', 'the prompt is empty', { hint: 'write: sbx run --headless "PROMPT", or - for stdin' });
  if (!agent.headless.some((word) => word.includes(PLACE))) return { argv: agent.headless, input: prompt };
  checkArgument(prompt);
  return { argv: agent.headless.map((word, at) => place(word, prompt, agent.headless.slice(0, at))), input: undefined };
}

function checkArgument(prompt: string): void {
  if (prompt.includes('\0')) throw new SbxError('usage', 'the prompt contains a NUL character', { hint: 'remove it' });
  if (Buffer.byteLength(prompt) < ARGUMENT_MAX - 1024) return;
  throw new SbxError('usage', 'the prompt is too long for a command line', {
    why: `it has ${Buffer.byteLength(prompt)} bytes, and an argument has at most ${ARGUMENT_MAX}`,
    hint: 'write it into a file of the workspace, and name that file in the prompt',
  });
}

/**
 * Prepends a space to a prompt that begins with `-` and is a whole argument, so that the agent does not parse it as an option. After `--`
 * no argument is an option.
 */
function place(word: string, prompt: string, before: readonly string[]): string {
  const literal = word !== PLACE || !prompt.startsWith('-') || before.includes('--');
  return word.split(PLACE).join(literal ? prompt : ` ${prompt}`);
}
