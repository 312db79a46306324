/** Passes the output of a run on: its bytes, or with `--json` one line for each event, as `sbx exec` does. */
import type { Readable } from 'node:stream';
import type { ExecResult } from '../../guest/protocol/messages.ts';
import { showOutput } from '../view/show-output.ts';
import type { View } from '../view/types.ts';

export interface RunOutput {
  started(about: { sandbox: string; session: number }): void;
  /** Resolves when all output was passed on */
  follow(streams: { stdout: Readable; stderr: Readable }): Promise<unknown>;
  exit(result: ExecResult): void;
}

export function runOutput(view: View, process: NodeJS.Process): RunOutput {
  const say = (event: object) => void (view.json && view.line(event, ''));
  return {
    started: (started) => say({ started }),
    follow: ({ stdout, stderr }) =>
      Promise.all([
        showOutput({ from: stdout, to: process.stdout, name: 'stdout', view }),
        showOutput({ from: stderr, to: process.stderr, name: 'stderr', view }),
      ]),
    exit: ({ code, signal }) => say({ exit: { code, ...(signal === undefined ? {} : { signal }) } }),
  };
}
