/** `sbx exec`: runs a command inside a sandbox with its streams, its terminal and its exit code. */
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { parsePort } from '../../command/port-text.ts';
import { splitArgs } from '../../command/split-args.ts';
import { type EnvironmentFlags, environmentOf } from './exec-place.ts';
import { applyAll, runInGuest } from './run-in-guest.ts';

interface Flags extends EnvironmentFlags {
  publish?: string[];
  interactive: boolean;
  tty: boolean;
  user?: string;
  workdir?: string;
  apply: boolean;
}

const USAGE = 'sbx exec [NAME] -- CMD…';

export async function exec(input: Run<Flags, string[]>): Promise<number> {
  const { context, flags, args } = input;
  const { name, command, more } = splitArgs(context.process.argv, args, USAGE);
  const argv = command ?? more;
  if (argv.length === 0) throw new SbxError('usage', 'no command given', { hint: `write: ${USAGE}` });
  // Checked before anything is started.
  const { process } = context;
  const env = environmentOf(flags, { cwd: input.cwd, host: process.env });
  const publish = (flags.publish ?? []).map(parsePort);
  if (flags.apply) await applyAll(input);
  const { tty, user, workdir } = flags;
  // A script reads its own stdin: without -i nothing of it is taken.
  const stdin = flags.interactive || (tty && process.stdin.isTTY === true);
  return runInGuest(input, { name, argv, env, user, workdir, tty, stdin, publish });
}
