/** What commands say: to people, or as JSON. Only results go to stdout. */
import type { ErrorJson } from '../../errors.ts';

export interface Progress {
  update(text: string): void;
  /** A line that stays */
  note(text: string): void;
  done(text?: string): void;
  fail(): void;
}

export interface View {
  readonly json: boolean;
  /** The one result: `value` as JSON, `text` for people */
  result(value: unknown, text: string): void;
  /** A line of a stream: an event as JSON, a line for people */
  line(value: unknown, text: string): void;
  progress(text: string): Progress;
  error(error: ErrorJson): void;
  /** Whether a person can be asked */
  asks: boolean;
  /** Asks a person; undefined where nobody can answer */
  confirm(question: string): Promise<boolean | undefined>;
}
