/** Runs operations that Node has no functions for, through a setup helper of the agent's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { lineOf, type Operation, parseAnswer, type SetupResult, type TrustPaths } from '../setup/operations.ts';
import SETUP_SCRIPT from '../setup/setup.pl';

/** Runs the operations in order. @throws Error with the failed operation and the system's reason: later operations did not run. */
export type Syscalls = (operations: Operation[]) => Promise<SetupResult>;

/** `command`: perl, which may have leading arguments. Empty, on a host: every operation fails. */
export function createSyscalls(command: string[], trust?: TrustPaths): Syscalls & AsyncDisposable {
  const helper = startHelper(command);
  let ended = helper === undefined;
  const waiting: { resolve: (done: SetupResult) => void; reject: (error: Error) => void }[] = [];
  if (helper?.stdout) {
    createInterface({ input: helper.stdout }).on('line', (line) => {
      const next = waiting.shift();
      const done = parseAnswer(line);
      if (done === undefined) next?.reject(new Error(line));
      else next?.resolve(done);
    });
    helper.once('close', () => {
      ended = true;
      for (const { reject } of waiting.splice(0)) reject(new Error('the setup helper ended'));
    });
  }
  const call: Syscalls = (operations) =>
    new Promise((resolve, reject) => {
      if (ended || !helper?.stdin) return reject(new Error('there is no setup helper'));
      waiting.push({ resolve, reject });
      helper.stdin.write(lineOf(operations, trust));
    });
  return Object.assign(call, {
    [Symbol.asyncDispose]: async () => {
      if (helper === undefined || helper.exitCode !== null) return;
      const ended = new Promise((resolve) => helper.once('exit', resolve));
      helper.stdin?.end();
      await ended;
    },
  });
}

function startHelper([file, ...args]: string[]): ChildProcess | undefined {
  if (file === undefined) return undefined;
  const helper = spawn(file, [...args, '-e', SETUP_SCRIPT, process.arch], { stdio: ['pipe', 'pipe', 'inherit'] });
  helper.on('error', () => {});
  helper.stdin?.on('error', () => {});
  return helper;
}
