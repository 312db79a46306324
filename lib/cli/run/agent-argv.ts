/** What runs inside: the agent's command of the spec with the arguments, or the prompt, of the command line. Pure. */

import { SbxError } from '../../errors.ts';
import type { AgentSpec } from '../../spec/spec.ts';

/** The kernel takes no longer single argument, its closing NUL included */
const ARGUMENT_MAX = 128 * 1024;
const PLACE = '{prompt}';

type Agent = AgentSpec & { name: string | undefined };

/** @throws SbxError `config-invalid`: the spec names no command. */
export function interactiveArgv(agent: Agent, args: readonly string[]): string[] {
  if (agent.command.length > 0) return [...agent.command, ...args];
  throw new SbxError('config-invalid', 'sandbox.toml names no agent to run', {
    why: agent.name === undefined ? 'it has no agent' : `the template "${agent.name}" has no [agent] command`,
    hint: 'write agent = "shell" or another template into it, or [agent] command = ["…"]; `sbx shell` needs no agent',
  });
}

/**
 * The prompt is one argument, or part of one; where the command has no place for it, it is the command's input.
 * @throws SbxError `config-invalid`, `usage`
 */
export function headlessArgv(agent: Agent, prompt: string): { argv: string[]; input: string | undefined } {
  if (agent.headless.length === 0)
    throw new SbxError('config-invalid', 'sandbox.toml names no agent that runs without a terminal', {
      why: agent.name === undefined ? 'it has no agent' : `the template "${agent.name}" has no [agent] headless`,
      hint: `write agent = "shell" or another template into it, or [agent] headless = ["…", "${PLACE}"]`,
    });
  if (prompt.trim() === '')
    throw new SbxError('usage', 'the prompt is empty', { hint: 'write: sbx run --headless "PROMPT", or - for stdin' });
  if (!agent.headless.some((word) => word.includes(PLACE))) return { argv: agent.headless, input: prompt };
  checkArgument(prompt);
  return { argv: agent.headless.map((word, at) => place(word, prompt, agent.headless.slice(0, at))), input: undefined };
}

function checkArgument(prompt: string): void {
  if (prompt.includes('\0')) throw new SbxError('usage', 'the prompt holds a NUL character', { hint: 'remove it' });
  if (Buffer.byteLength(prompt) < ARGUMENT_MAX - 1024) return;
  throw new SbxError('usage', 'the prompt is too long for a command line', {
    why: `it has ${Buffer.byteLength(prompt)} bytes, and an argument has at most ${ARGUMENT_MAX}`,
    hint: 'write it into a file of the workspace, and let the prompt name that file',
  });
}

/**
 * A whole word that begins with `-` could be taken for an option of the agent: a space before it keeps it a prompt. After `--` no word is an
 * option.
 */
function place(word: string, prompt: string, before: readonly string[]): string {
  const literal = word !== PLACE || !prompt.startsWith('-') || before.includes('--');
  return word.split(PLACE).join(literal ? prompt : ` ${prompt}`);
}
