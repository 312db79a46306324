/** QEMU's monitor protocol: one JSON object a line, answered in the order of the commands. */
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';

interface Reply {
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  data?: unknown;
}

export class Qmp implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #lines: Interface;
  #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #events: string[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket });
    this.#lines.on('line', (line) => this.#take(line));
    // The reader of lines passes its input's errors on.
    this.#lines.on('error', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new SbxError('qmp', 'QEMU closed its monitor'));
    });
  }

  /** Connects and negotiates. `alive` says whether waiting for the socket still makes sense. */
  static async open(
    path: string,
    options: { deadlineMs: number; alive: () => boolean; signal?: AbortSignal | undefined },
  ): Promise<Qmp> {
    const until = Date.now() + options.deadlineMs;
    for (;;) {
      options.signal?.throwIfAborted();
      const socket = await tryConnect(path);
      if (socket !== undefined) {
        const qmp = new Qmp(socket);
        await qmp.execute('qmp_capabilities');
        return qmp;
      }
      if (!options.alive()) throw new SbxError('vm-died', 'QEMU ended before its monitor answered');
      if (Date.now() > until)
        throw new SbxError('qmp', "QEMU's monitor did not answer in time", {
          why: `nothing listened at ${path} for ${options.deadlineMs} ms`,
        });
      await sleep(3);
    }
  }

  /** @throws SbxError `qmp` with QEMU's own words. */
  async execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#closed) throw new SbxError('qmp', 'QEMU closed its monitor');
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(
        `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) })}\n`,
      );
    });
  }

  /** Waits until a query answers as wanted; asks every few milliseconds. */
  async until<T>(command: string, done: (answer: T) => boolean, deadlineMs: number): Promise<T> {
    const end = Date.now() + deadlineMs;
    for (;;) {
      const answer = (await this.execute(command)) as T;
      if (done(answer)) return answer;
      if (Date.now() > end)
        throw new SbxError('qmp', `QEMU did not finish in time: ${command} says ${JSON.stringify(answer)}`);
      await sleep(2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    this.#socket.destroy();
  }

  #take(line: string): void {
    const reply = JSON.parse(line) as Reply & { QMP?: unknown };
    if (reply.QMP !== undefined) return;
    if (reply.event !== undefined) {
      this.#events.push(reply.event);
      return;
    }
    const waiting = this.#waiting.shift();
    if (reply.error !== undefined) waiting?.reject(new SbxError('qmp', `QEMU refused a command: ${reply.error.desc}`));
    else waiting?.resolve(reply.return);
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
