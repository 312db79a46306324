/** Exit codes of failed commands. Pure. */
import { SbxError } from '../../errors.ts';

/** Commands that pass on the exit code of what they run */
const PASSING: readonly string[] = ['exec', 'run', 'shell'];
/** Tells a failure of sbx from one of what it runs, as `docker` and `env` do */
const OWN_FAILURE = 125;
const INTERRUPTED = 130;

/** `verb`: the first word of the command line. */
export function exitCodeOf(error: unknown, verb: string | undefined): number {
  if (error instanceof SbxError && error.code === 'cancelled') return INTERRUPTED;
  if (verb !== undefined && PASSING.includes(verb)) return OWN_FAILURE;
  return error instanceof SbxError ? error.exitCode : 1;
}
