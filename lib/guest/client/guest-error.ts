/** What a guest reports, as an error of the host. The guest may be hostile: its words are cut, and cannot steer a terminal. */
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
const LONGEST = 2000;

export function guestError(reported: unknown): SbxError {
  const { code, message, why, hint } = (reported ?? {}) as Record<string, unknown>;
  const known = typeof code === 'string' && CODES.has(code) ? (code as FailureCode) : 'guest-failed';
  return new SbxError(known, plainText(message) ?? 'the sandbox reported an error without words', details(why, hint));
}

/** A failure of our own side of a copy; anything else stays as it is. */
export function hostError(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  return new SbxError(error.code, error.message, { ...details(error.why, error.hint), cause: error });
}

export function lostConnection(why: string): SbxError {
  return new SbxError('guest-protocol', 'the connection to the sandbox ended', {
    why: plainText(why) ?? 'without a reason',
    hint: 'see `sbx ls` and `sbx logs --console`',
  });
}

/** Control characters and the marks that turn the direction of writing become `?`. */
export function plainText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, LONGEST).replaceAll(/[^\P{C}\n]/gu, '?');
}

function details(why: unknown, hint: unknown): { why?: string; hint?: string } {
  const [reason, way] = [plainText(why), plainText(hint)];
  return { ...(reason === undefined ? {} : { why: reason }), ...(way === undefined ? {} : { hint: way }) };
}
