/** Human-readable output: a spinner and colours on a terminal, plain lines elsewhere. */
import { relative } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Ora } from 'ora';
import type { ErrorJson, Place } from '../../errors.ts';
import { showsColours } from './drawing.ts';
import { inOneLine, printable } from './printable.ts';
import { createRedraw } from './redraw.ts';
import { type Progress, SILENT, type View } from './types.ts';

/** Without `spin`, progress is plain lines. */
export function createHumanView(process: NodeJS.Process, spin?: (text: string) => Ora): View {
  const { stdout, stderr } = process;
  const asks = stderr.isTTY === true && process.stdin.isTTY === true;
  const colour = showsColours(stderr, process.env);
  // A file or another program gets every byte; a terminal would execute some of them.
  const show = (text: string) =>
    stdout.isTTY ? printable(text.replaceAll('\r\n', '\n'), { colours: showsColours(stdout, process.env) }) : text;
  return {
    json: false,
    result: (_value, text) => void (text !== '' && stdout.write(`${show(text)}\n`)),
    line: (_value, text) => void stdout.write(`${show(text)}\n`),
    redraw: createRedraw(process),
    progress: (text) => (spin === undefined ? plainProgress(text, stderr) : spinner(spin(inOneLine(text)), stderr)),
    meter: (text) => (spin === undefined ? SILENT : spinner(spin(inOneLine(text)), stderr)),
    loud: (text) => (showsColours(stdout, process.env) ? `\x1b[1;31m${text}\x1b[0m` : text),
    error: (error) => void stderr.write(describe(error, colour)),
    asks,
    async confirm(question) {
      if (!asks) return undefined;
      const ask = createInterface({ input: process.stdin, output: stderr });
      const answer = await new Promise<string>((resolve) => {
        // Ctrl-C and the end of the input are not an approval.
        ask.once('close', () => resolve(''));
        ask.question(`${printable(question)} [y/N] `).then(resolve, () => resolve(''));
      });
      ask.close();
      return /^y(es)?$/i.test(answer.trim());
    },
  };
}

function describe(error: ErrorJson, colour: boolean): string {
  const title = inOneLine(titleOf(error));
  return [
    colour ? `\x1b[31m${title}\x1b[0m` : title,
    ...(error.why === undefined ? [] : [`why: ${printable(error.why)}`]),
    ...(error.hint === undefined ? [] : [`what to do: ${printable(error.hint)}`]),
    ...(error.more ?? []).map((one) => `${inOneLine(placed(one))}; ${inOneLine(one.hint)}`),
    '',
  ].join('\n');
}

function titleOf(error: ErrorJson): string {
  const { file, line = 1, column = 1, message } = error;
  return file === undefined ? `sbx: ${message}` : placed({ file, line, column, message });
}

function placed({ file, line, column, message }: Place & { message: string }): string {
  const short = relative(process.cwd(), file);
  return `${short.startsWith('..') ? file : short}:${line}:${column}: ${message}`;
}

function spinner(spin: Ora, stream: NodeJS.WriteStream): Progress {
  return {
    update: (next) => {
      spin.text = inOneLine(next);
    },
    note: (line) => {
      spin.clear();
      stream.write(`${inOneLine(line)}\n`);
      spin.render();
    },
    done: (last) => void (last === undefined ? spin.stop() : spin.succeed(inOneLine(last))),
    fail: () => void spin.stop(),
  };
}

function plainProgress(text: string, stream: NodeJS.WriteStream): Progress {
  let last = '';
  const write = (line: string) => {
    if (line !== last) stream.write(`${inOneLine(line)}\n`);
    last = line;
  };
  write(text);
  return { update: write, note: write, done: (line) => void (line !== undefined && write(line)), fail: () => {} };
}
