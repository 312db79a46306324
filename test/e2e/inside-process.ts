/** A process in a sandbox whose output is waited for while it runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { HOME, SBX } from './harness.ts';

/** Until a busy machine gets there */
const WAIT = { timeout: 120_000, interval: 5 };

export class InsideProcess implements AsyncDisposable {
  /** All that it has written so far, to both streams */
  output = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #from = 0;

  constructor(cwd: string, command: string[]) {
    const env = { ...process.env, SBX_HOME: HOME };
    this.#child = spawn(SBX, ['exec', '-i', '--', ...command], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#exit = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits for this text after the one that was waited for before. */
  async said(text: string): Promise<void> {
    await expect.poll(() => this.output.slice(this.#from), WAIT).toContain(text);
    this.#from = this.output.indexOf(text, this.#from) + text.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exit;
  }
}
