/** The value of a secret that a command of the host makes: never through a shell, never in an error. */
import { execFile } from 'node:child_process';
import { SbxError } from '../errors.ts';

export const COMMAND_MS = 30_000;
const OUTPUT_MAX = 64 * 1024;

/** What it prints, without the last line end. @throws SbxError `secret` without anything that it printed */
export function runForValue(name: string, argv: readonly string[], ms = COMMAND_MS): Promise<string> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const options = { cwd: '/', timeout: ms, killSignal: 'SIGKILL', maxBuffer: OUTPUT_MAX, encoding: 'utf8' } as const;
    // execFile, since errors of lib/system/run-tool.ts hold the output, and a program that prints too much is killed here.
    const child = execFile(program, args, options, (error, stdout) => {
      if (error === null) return resolve(stdout.replace(/\r?\n$/, ''));
      reject(
        new SbxError('secret', `the command of the secret "${name}" failed`, {
          why: reasonOf(error, ms),
          hint: `run it by hand: ${program}; its output is not shown here, since it may hold the value`,
        }),
      );
    });
    child.stdin?.end();
  });
}

/** The error's own message would repeat what the program wrote. */
function reasonOf(
  { code, killed, signal }: { code?: unknown; killed?: boolean; signal?: unknown },
  ms: number,
): string {
  if (code === 'ENOENT') return 'there is no such program';
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `it printed more than ${OUTPUT_MAX / 1024} KiB`;
  if (typeof code === 'number') return `it ended with ${code}`;
  if (killed === true) return `it was not done within ${ms / 1000} s`;
  return typeof code === 'string' ? code : `it was ended by ${String(signal)}`;
}
