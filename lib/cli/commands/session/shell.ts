/** `sbx shell`: opens a shell in a sandbox. */
import type { Run } from '../../command/command.ts';
import { parsePort } from '../../command/port-text.ts';
import { applyAll, runInGuest } from './run-in-guest.ts';

const LOGIN_SHELL = ['/bin/sh', '-c', 'command -v bash >/dev/null && exec bash -l || exec sh -l'];

export async function shell(
  input: Run<{ user?: string; workdir?: string; apply: boolean; publish?: string[] }, [string?]>,
): Promise<number> {
  const { context, flags, args } = input;
  const publish = (flags.publish ?? []).map(parsePort);
  if (flags.apply) await applyAll(input);
  const tty = context.process.stdin.isTTY === true;
  const { user, workdir } = flags;
  return runInGuest(input, { name: args[0], argv: LOGIN_SHELL, user, workdir, tty, stdin: true, publish });
}
