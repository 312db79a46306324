/** `sbx exec`: runs a command inside a sandbox with its streams, its terminal and its exit code. */
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { splitArgs } from '../../command/split-args.ts';
import { applyAll, runInGuest } from './run-in-guest.ts';

interface Flags {
  interactive: boolean;
  tty: boolean;
  user?: string;
  workdir?: string;
  env?: readonly string[];
  apply: boolean;
}

const USAGE = 'sbx exec [NAME] -- CMD…';

export async function exec(input: Run<Flags, string[]>): Promise<number> {
  const { context, flags, args } = input;
  const { name, command, more } = splitArgs(context.process.argv, args, USAGE);
  const argv = command ?? more;
  if (argv.length === 0) throw new SbxError('usage', 'no command given', { hint: `write: ${USAGE}` });
  // Checked before anything is started.
  const env = parseEnv(flags.env ?? []);
  if (flags.apply) await applyAll(input);
  const { tty, user, workdir } = flags;
  const stdin = flags.interactive || tty || context.process.stdin.isTTY !== true;
  return runInGuest(input, { name, argv, env, user, workdir, tty, stdin });
}

function parseEnv(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=');
      if (at < 1)
        throw new SbxError('usage', `invalid --env: ${entry}`, {
          why: 'it must be NAME=VALUE',
          hint: 'write for example -e DEBUG=1',
        });
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
