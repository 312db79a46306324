/** Speaks QEMU's monitor protocol: one JSON object a line, answered in the order of the commands. */
import type { Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';
import { within } from '../../system/deadline.ts';
import { connectTo } from '../../system/unix-socket.ts';

interface Reply {
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  QMP?: unknown;
}

export class Qmp implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #lines: Interface;
  #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #deadlineMs: number;
  /** Why the connection has ended */
  #over: Error | undefined;

  private constructor(
    socket: Socket,
    { deadlineMs, signal }: { deadlineMs: number; signal?: AbortSignal | undefined },
  ) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
    const onAbort = () => this.#giveUp(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('close', () => signal?.removeEventListener('abort', onAbort));
    this.#lines = createInterface({ input: socket });
    this.#lines.on('line', (line) => this.#take(line));
    // The reader of lines passes its input's errors on.
    this.#lines.on('error', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#giveUp(new SbxError('qmp', 'QEMU closed its monitor'));
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
        const qmp = new Qmp(socket, options);
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

  /** @throws SbxError `qmp` with QEMU's message, or when it does not answer in time; the reason of the abort. */
  async execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#over !== undefined) throw this.#over;
    using deadline = within(this.#deadlineMs);
    const silent = () =>
      this.#giveUp(
        new SbxError('qmp', 'QEMU does not answer', { why: `${command} took more than ${this.#deadlineMs} ms` }),
      );
    deadline.addEventListener('abort', silent, { once: true });
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
        throw new SbxError('qmp', `QEMU did not finish in time: ${command} returned ${JSON.stringify(answer)}`);
      await sleep(2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    this.#socket.destroy();
  }

  /** Answers come in order: after a missing one, the next cannot be matched to its command. */
  #giveUp(why: Error): void {
    this.#over ??= why;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  #take(line: string): void {
    const reply = parse(line);
    if (reply === undefined) this.#giveUp(new SbxError('qmp', 'unexpected message from QMP'));
    if (reply === undefined || reply.QMP !== undefined || reply.event !== undefined) return;
    const waiting = this.#waiting.shift();
    if (reply.error !== undefined) waiting?.reject(new SbxError('qmp', `QEMU refused a command: ${reply.error.desc}`));
    else waiting?.resolve(reply.return);
  }
}

/** The monitor is on the jail's side: anything may come. */
function parse(line: string): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(line);
    return typeof reply === 'object' && reply !== null ? (reply as Reply) : undefined;
  } catch {
    return undefined;
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    try {
      const socket = connectTo(path);
      socket.once('connect', () => resolve(socket)).once('error', () => resolve(undefined));
    } catch {
      resolve(undefined);
    }
  });
}
