/** Converts errors that a guest reports into the host's. The guest may be hostile: texts are shortened and cannot control a terminal. */
import { SbxError } from '../../errors.ts';
import { Failure, type FailureCode } from '../protocol/failure.ts';

const CODES: ReadonlySet<string> = new Set<FailureCode>([
  'busy',
  'guest-failed',
  'not-found',
  'refused-policy',
  'usage',
  'workspace',
]);
const MAX_CHARACTERS = 2000;

export function guestError(reported: unknown): SbxError {
  const { code, message, why, hint } = (reported ?? {}) as Record<string, unknown>;
  const known = typeof code === 'string' && CODES.has(code) ? (code as FailureCode) : 'guest-failed';
  return new SbxError(
    known,
    plainText(message) ?? 'the sandbox reported an error without a message',
    details(why, hint),
  );
}

/** Converts a failure of the host's side of a copy; other errors are returned as they are. */
export function hostError(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  return new SbxError(error.code, error.message, { ...details(error.why, error.hint), cause: error });
}

export function lostConnection(why: string): SbxError {
  return new SbxError('guest-protocol', 'the connection to the sandbox ended', {
    why: plainText(why) ?? 'no reason was given',
    hint: 'see `sbx ls` and `sbx logs --console`',
  });
}

/** Replaces control characters and marks of text direction by `?`. */
export function plainText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, MAX_CHARACTERS).replaceAll(/[^\P{C}\n]/gu, '?');
}

function details(why: unknown, hint: unknown): { why?: string; hint?: string } {
  const [reason, fix] = [plainText(why), plainText(hint)];
  return { ...(reason === undefined ? {} : { why: reason }), ...(fix === undefined ? {} : { hint: fix }) };
}
