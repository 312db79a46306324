/** What commands say: to people, or as JSON. Only results go to stdout. */
import type { ErrorJson } from '../../errors.ts';
import { createHumanView } from './human.ts';
import { createJsonView } from './json.ts';

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
  /** Asks a person; undefined where nobody can answer */
  confirm(question: string): Promise<boolean | undefined>;
}

/** The spinner's library is loaded for a terminal only: other starts do not pay for it. */
export async function createView(json: boolean, process: NodeJS.Process): Promise<View> {
  if (json) return createJsonView(process);
  if (!process.stderr.isTTY) return createHumanView(process);
  const { default: ora } = await import('ora');
  return createHumanView(process, (text) => ora({ text, stream: process.stderr, discardStdin: false }).start());
}
