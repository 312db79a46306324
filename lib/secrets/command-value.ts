/** Runs the host command that prints a secret, without a shell and without its output in errors. */
import { execFile } from 'node:child_process';
import { SbxError } from '../errors.ts';

const COMMAND_MS = 30_000;
const OUTPUT_MAX = 64 * 1024;

/** Returns the output without the last line end. @throws SbxError `secret`, never with the output */
export function runForValue(name: string, argv: readonly string[]): Promise<string> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const options = {
      cwd: '/',
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_MAX,
      encoding: 'utf8',
    } as const;
    // execFile, since errors of lib/system/run-tool.ts hold the output, and a program that prints too much is killed here.
    const child = execFile(program, args, options, (error, stdout) => {
      if (error === null) return resolve(stdout.replace(/\r?\n$/, ''));
      reject(
        new SbxError('secret', `the command of the secret "${name}" failed`, {
          why: reasonOf(error),
          hint: `run it manually: ${program}; its output is not shown here, since it may contain the value`,
        }),
      );
    });
    child.stdin?.end();
  });
}

/** Does not use the message of the error, which contains the output. */
function reasonOf({ code, killed, signal }: { code?: unknown; killed?: boolean; signal?: unknown }): string {
  if (code === 'ENOENT') return 'program not found';
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `it printed more than ${OUTPUT_MAX / 1024} KiB`;
  if (typeof code === 'number') return `it exited with code ${code}`;
  if (killed === true) return `it timed out after ${COMMAND_MS / 1000} s`;
  return typeof code === 'string' ? code : `it was killed by ${String(signal)}`;
}
