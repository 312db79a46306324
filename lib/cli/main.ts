/** Entry of the command line. */
import { dirname } from 'node:path';
import { type CommandContext, proposeCompletions, run } from '@stricli/core';
import { SbxError } from '../errors.ts';
import { readGuestFolders } from '../system/guest-folders.ts';
import { checkOwnFolder } from '../system/own-folder.ts';
import { safePath } from '../system/tool-path.ts';
import { app, briefs, wordsOf } from './app.ts';
import { createContext, type SbxContext } from './command/context.ts';
import { describeError } from './command/error-hints.ts';
import { exitCodeOf } from './command/exit-code.ts';
import { withHelp } from './command/usage-text.ts';
import { COMPLETE } from './commands/host/completion-scripts.ts';
import { helpPage } from './help.ts';
import { setPromptAside } from './run/prompt-argument.ts';
import { createView } from './view/view.ts';

const context = createContext(dirname(import.meta.dirname));
// A reader that closes its end (`sbx ls | head -1`) is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

void main(process.argv.slice(2)).then(leave);

async function main(inputs: string[]): Promise<void> {
  try {
    // Before anything is read from it, or a daemon is spoken to that another user could have put there.
    checkOwnFolder(context.home.root);
    // Every program that sbx runs is found by this PATH.
    process.env['PATH'] = safePath(process.env['PATH'], readGuestFolders(context.home.guestFolders));
    if (inputs[0] === COMPLETE) await printCompletions(inputs.slice(1));
    else if (asksForHelp(inputs)) process.stdout.write(`${helpPage({ briefs: briefs() })}\n`);
    else await run(app, setPromptAside(commandOf(inputs)).argv, context as unknown as CommandContext);
  } catch (error) {
    const wrong = error instanceof SbxError ? withHelp(error, wordsOf(inputs)) : error;
    (await createView(asksForJson(inputs), process)).error(describeError(wrong));
    process.exitCode = exitCodeOf(wrong, inputs[0]);
  }
}

function asksForHelp(inputs: string[]): boolean {
  return inputs.length === 0 || (inputs.length === 1 && ['help', '--help', '-h'].includes(inputs[0] ?? ''));
}

/** `help COMMAND` is `COMMAND --help`. */
function commandOf(inputs: string[]): string[] {
  return inputs[0] === 'help' ? [...inputs.slice(1), '--help'] : inputs;
}

/** Ends the process when all output is written: a stdin or a connection that is still open must not keep it alive. */
async function leave(): Promise<void> {
  const unwritten = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0);
  await Promise.all(unwritten.map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))));
  process.exit();
}

/** For a command line that could not be parsed. Words after `--` are not flags of sbx. */
function asksForJson(words: string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? undefined : end).includes('--json');
}

async function printCompletions(words: string[]): Promise<void> {
  const found = await complete(context, words).catch(() => []);
  if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`);
}

/** Without starting the daemon. `words`: the typed words after `sbx`; the last one may be incomplete. */
async function complete(context: SbxContext, words: readonly string[]): Promise<string[]> {
  const last = words.at(-1) ?? '';
  // Words after `--` are a command of the sandbox.
  if (words.slice(0, -1).includes('--')) return [];
  const asked = last === '--' ? [...words.slice(0, -1), '-'] : words;
  const found = await proposeCompletions(app, asked, context as unknown as CommandContext);
  const names = [...new Set(found.map(({ completion }) => completion))];
  // Flags only after a typed hyphen.
  return names.filter((name) => name.startsWith(last) && (last !== '' || !name.startsWith('-')));
}
