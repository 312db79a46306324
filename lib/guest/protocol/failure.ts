/** Errors of the guest agent and of copies: the agent's bundle does not include the host's error class. */

export type FailureCode = 'busy' | 'guest-failed' | 'not-found' | 'refused-policy' | 'usage' | 'workspace';

export interface FailureJson {
  code: FailureCode;
  message: string;
  why?: string;
  hint?: string;
}

export class Failure extends Error {
  readonly code: FailureCode;
  readonly why: string | undefined;
  readonly hint: string | undefined;

  constructor(code: FailureCode, message: string, details: { why?: string; hint?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.name = 'Failure';
    this.code = code;
    this.why = details.why;
    this.hint = details.hint;
  }
}

export function failureJson(error: unknown): FailureJson {
  if (!(error instanceof Failure))
    return { code: 'guest-failed', message: error instanceof Error ? error.message : String(error) };
  return {
    code: error.code,
    message: error.message,
    ...(error.why === undefined ? {} : { why: error.why }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}
