/** The output of commands: human-readable or JSON. Only results go to stdout. */
import type { ErrorJson } from '../../errors.ts';

export interface Progress {
  update(text: string): void;
  /** A line that stays */
  note(text: string): void;
  done(text?: string): void;
  fail(): void;
}

export const SILENT: Progress = { update: () => {}, note: () => {}, done: () => {}, fail: () => {} };

export interface View {
  readonly json: boolean;
  /** The result: `value` as JSON, `text` for the human view */
  result(value: unknown, text: string): void;
  /** A line of a stream: `value` as JSON, `text` for the human view */
  line(value: unknown, text: string): void;
  /** A result that takes the place of the last one on a terminal, and is a part of a stream elsewhere */
  redraw(value: unknown, text: string): void;
  progress(text: string): Progress;
  /** Progress of which no line stays: nothing is written where it cannot be drawn */
  meter(text: string): Progress;
  /** Emphasizes a part of a result that must not be missed, where stdout shows colours */
  loud(text: string): string;
  error(error: ErrorJson): void;
  /** Whether the user can be asked */
  asks: boolean;
  /** Asks the user; undefined if no answer is possible */
  confirm(question: string): Promise<boolean | undefined>;
}
