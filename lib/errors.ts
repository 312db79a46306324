/** The codes of sbx's own errors. `user` errors are fixed by the user, `system` errors by the owner of the machine or in sbx. */
export type ErrorCode =
  | 'usage'
  | 'config-syntax'
  | 'config-invalid'
  | 'config-not-found'
  | 'config-unsupported'
  | 'template-missing'
  | 'not-found'
  | 'ambiguous-name'
  | 'not-running'
  | 'stopped-idle'
  | 'refused-widening'
  | 'refused-policy'
  | 'needs-confirmation'
  | 'busy'
  | 'port-taken'
  | 'cancelled'
  | 'tool-missing'
  | 'editor-failed'
  | 'no-jail'
  | 'no-space'
  | 'socket-path-too-long'
  | 'vm-boot-failed'
  | 'vm-died'
  | 'vm-restore-failed'
  | 'vm-save-failed'
  | 'qmp'
  | 'guest-protocol'
  | 'guest-failed'
  | 'bake-failed'
  | 'install-failed'
  | 'image-source'
  | 'registry'
  | 'layer-damaged'
  | 'workspace'
  | 'gateway'
  | 'secret'
  | 'daemon-unreachable'
  | 'daemon-version'
  | 'internal';

export interface Place {
  /** Absolute path of the file the user wrote */
  file: string;
  /** Counted from 1 */
  line: number;
  /** Counted from 1 */
  column: number;
}

export interface ErrorDetails {
  /** One line: why it happened */
  why?: string;
  /** One line: what to do */
  hint?: string;
  place?: Place;
  /** Other errors of the same kind, found together with this one */
  more?: FurtherError[];
  /** The step of a plan that failed */
  step?: FailedStep;
  cause?: unknown;
}

export interface FurtherError extends Place {
  message: string;
  hint: string;
}

export interface FailedStep {
  action: string;
  sandbox: string;
}

const USER_CODES: ReadonlySet<ErrorCode> = new Set([
  'usage',
  'config-syntax',
  'config-invalid',
  'config-not-found',
  'config-unsupported',
  'template-missing',
  'not-found',
  'ambiguous-name',
  'not-running',
  'stopped-idle',
  'refused-widening',
  'refused-policy',
  'needs-confirmation',
  'cancelled',
  'port-taken',
  'bake-failed',
  'install-failed',
  'editor-failed',
  'secret',
]);

const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  usage: 2,
  'config-syntax': 2,
  'config-invalid': 2,
  'config-not-found': 2,
  'config-unsupported': 2,
  'template-missing': 2,
  'ambiguous-name': 2,
  'refused-widening': 4,
  'refused-policy': 4,
  'needs-confirmation': 4,
};

/** The one error class: `message` says what happened, `why` the reason, `hint` the way out. Callers branch on `code` only. */
export class SbxError extends Error {
  readonly code: ErrorCode;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly place: Place | undefined;
  readonly more: readonly FurtherError[];
  readonly step: FailedStep | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = 'SbxError';
    this.code = code;
    this.why = details.why;
    this.hint = details.hint;
    this.place = details.place;
    this.more = details.more ?? [];
    this.step = details.step;
  }

  get kind(): 'user' | 'system' {
    return USER_CODES.has(this.code) ? 'user' : 'system';
  }

  get exitCode(): number {
    return EXIT_CODES[this.code] ?? 1;
  }
}

/** The wire and `--json` form: `{code, message, why?, hint?, file?, line?, column?, more?, step?}`. */
export interface ErrorJson {
  code: ErrorCode;
  message: string;
  why?: string;
  hint?: string;
  file?: string;
  line?: number;
  column?: number;
  more?: FurtherError[];
  step?: FailedStep;
}

export function toErrorJson(error: unknown): ErrorJson {
  if (!(error instanceof SbxError))
    return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
  return {
    code: error.code,
    message: error.message,
    ...(error.why === undefined ? {} : { why: error.why }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.place ?? {}),
    ...(error.more.length === 0 ? {} : { more: [...error.more] }),
    ...(error.step === undefined ? {} : { step: error.step }),
  };
}

export function fromErrorJson(json: ErrorJson): SbxError {
  const { file, line, column } = json;
  return new SbxError(json.code, json.message, {
    ...(json.why === undefined ? {} : { why: json.why }),
    ...(json.hint === undefined ? {} : { hint: json.hint }),
    ...(file === undefined || line === undefined || column === undefined ? {} : { place: { file, line, column } }),
    ...(json.more === undefined ? {} : { more: json.more }),
    ...(json.step === undefined ? {} : { step: json.step }),
  });
}

/** One line for logs: the message with its reason. */
export function summaryOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  return error instanceof SbxError && error.why !== undefined ? `${error.message} (${error.why})` : error.message;
}

export function errnoOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
