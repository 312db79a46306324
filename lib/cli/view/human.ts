/** For people: a spinner and colours on a terminal, plain lines elsewhere. */

import { relative } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Ora } from 'ora';
import type { ErrorJson } from '../../errors.ts';
import type { Progress, View } from './types.ts';

/** Without `spin`, progress is plain lines. */
export function createHumanView(process: NodeJS.Process, spin?: (text: string) => Ora): View {
  const { stdout, stderr, stdin } = process;
  const colour = stderr.isTTY === true && !process.env['NO_COLOR'];
  const red = (text: string) => (colour ? `\x1b[31m${text}\x1b[0m` : text);
  return {
    json: false,
    result: (_value, text) => void (text !== '' && stdout.write(`${text}\n`)),
    line: (_value, text) => void stdout.write(`${text}\n`),
    progress: (text) => (spin === undefined ? plainProgress(text, stderr) : spinner(spin(text), stderr)),
    error: (error) =>
      void stderr.write(
        `${red(titleOf(error))}\n${error.why === undefined ? '' : `why: ${error.why}\n`}${error.hint === undefined ? '' : `what to do: ${error.hint}\n`}`,
      ),
    async confirm(question) {
      if (!stdin.isTTY || !stderr.isTTY) return undefined;
      const ask = createInterface({ input: stdin, output: stderr });
      const answer = await ask.question(`${question} [y/N] `);
      ask.close();
      return /^y(es)?$/i.test(answer.trim());
    },
  };
}

function titleOf(error: ErrorJson): string {
  if (error.file === undefined) return `sbx: ${error.message}`;
  const short = relative(process.cwd(), error.file);
  return `${short.startsWith('..') ? error.file : short}:${error.line}:${error.column}: ${error.message}`;
}

function spinner(spin: Ora, stream: NodeJS.WriteStream): Progress {
  return {
    update: (next) => {
      spin.text = next;
    },
    note: (line) => {
      spin.clear();
      stream.write(`${line}\n`);
      spin.render();
    },
    done: (last) => void (last === undefined ? spin.stop() : spin.succeed(last)),
    fail: () => void spin.stop(),
  };
}

function plainProgress(text: string, stream: NodeJS.WriteStream): Progress {
  let last = '';
  const write = (line: string) => {
    if (line !== last) stream.write(`${line}\n`);
    last = line;
  };
  write(text);
  return { update: write, note: write, done: (line) => void (line !== undefined && write(line)), fail: () => {} };
}
