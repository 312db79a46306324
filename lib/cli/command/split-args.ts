/** Splits `[NAME] -- CMD…`: words after `--` are the command; before it at most the name. Pure. */
import { SbxError } from '../../errors.ts';

/**
 * `argv` is the whole command line, `args` its words without the flags.
 * @throws SbxError `usage`
 */
export function splitArgs(
  argv: readonly string[],
  args: readonly string[],
  write: string,
): { name: string | undefined; command: string[] | undefined; more: string[] } {
  const dashes = argv.indexOf('--');
  const command = dashes < 0 ? undefined : argv.slice(dashes + 1);
  const before = args.slice(0, args.length - (command?.length ?? 0));
  if (command !== undefined && before.length > 1)
    throw new SbxError('usage', `too many names: ${before.join(' ')}`, { hint: `write: ${write}` });
  return { name: before[0], command, more: before.slice(1) };
}
