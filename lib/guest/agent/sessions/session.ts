/** A session of the sandbox's agent: a process that outlives its clients, its record, and the attached viewers. */
import {
  CHANNEL,
  type ExecControl,
  type ExecRequest,
  type ExecResult,
  type SessionInfo,
  type SessionOpened,
} from '../../protocol/messages.ts';
import type { MuxStream, StreamEvents } from '../../protocol/mux.ts';
import type { Command } from '../process/command.ts';
import { drained, forward, type Sink } from '../process/output.ts';
import type { Running } from '../process/running.ts';
import type { Workload } from '../process/workload.ts';
import type { SessionRecord } from './record.ts';
import { startViewer, type Viewer } from './viewer.ts';

type Size = NonNullable<ExecRequest['tty']>;

/** Programs repaint when the size changes, some only then; two changes at the same moment would be no change */
const REPAINT_MS = 100;

interface SessionOptions {
  command: Command;
  request: ExecRequest;
  record: SessionRecord;
  workload: Workload;
  /** Receives all output before more of it is read */
  owner?: MuxStream | undefined;
}

export class Session {
  readonly record: SessionRecord;
  /** Resolves when the process has ended and its record is complete */
  readonly ended: Promise<ExecResult>;
  readonly #running: Running;
  readonly #viewers = new Set<Viewer>();
  #size: { cols: number; rows: number } | undefined;
  #result: ExecResult | undefined;

  /** @throws Error when the process cannot be started. */
  constructor({ command, request, record, workload, owner }: SessionOptions) {
    this.record = record;
    this.#size = request.tty;
    this.#running = workload.start(command, request);
    const sink: Sink = {
      send: async (channel, data) => {
        record.push(data);
        this.#wake();
        await owner?.send(channel, data);
      },
      end: (channel) => owner?.end(channel),
    };
    this.ended = this.#follow(sink);
  }

  get info(): SessionInfo {
    return { ...this.record.info, clients: this.#viewers.size };
  }

  get over(): boolean {
    return this.#result !== undefined;
  }

  /** Attaches a terminal: it gets all output, its input goes to the command, and its size applies, being the latest. */
  join(stream: MuxStream, size: Size | undefined, joined: boolean): StreamEvents {
    const { ring } = this.record;
    const { from, head } = this.#startingPoint();
    stream.control({ id: this.info.id, joined, replay: head.length + ring.end - from } satisfies SessionOpened);
    void stream.send(CHANNEL.stdout, head);
    const viewer = this.#view(stream, from, () => this.#resume());
    if (joined && size !== undefined) this.#repaintAt(size);
    return {
      onData: (_channel, data, taken) => this.#running.write(data, taken),
      onEnd: () => {},
      onControl: (message) => this.#control(message as ExecControl),
      onClose: () => {},
      onReset: () => this.#drop(viewer),
    };
  }

  /** Attaches a read-only client, from the oldest byte kept. */
  watch(stream: MuxStream): StreamEvents {
    const { start, end } = this.record.ring;
    stream.control({ id: this.info.id, joined: true, replay: end - start } satisfies SessionOpened);
    const viewer = this.#view(stream, start, () => undefined);
    return {
      onData: (_channel, _data, taken) => taken(),
      onEnd: () => {},
      onControl: () => {},
      onClose: () => {},
      onReset: () => this.#drop(viewer),
    };
  }

  /** Serves input and signals of the owner; the session ends with it. */
  serveOwner(): StreamEvents {
    return {
      onData: (_channel, data, taken) => this.#running.write(data, taken),
      onEnd: () => this.#running.endInput(),
      onControl: (message) => this.#control(message as ExecControl),
      onClose: () => {},
      onReset: () => this.end(),
    };
  }

  end(): void {
    if (!this.over) this.#running.end();
  }

  async #follow(sink: Sink): Promise<ExecResult> {
    const outputs = this.#running.outputs.map(({ channel, readable }) => forward(readable, channel, sink));
    const exit = await this.#running.exit;
    const result = exit instanceof Error ? { code: 126 } : exit;
    if (exit instanceof Error) await sink.send(CHANNEL.stderr, Buffer.from(`sbx: ${exit.message}\n`));
    else await drained(outputs);
    this.record.end(result);
    this.#result = result;
    this.#running.release();
    this.#wake();
    return result;
  }

  #view(stream: MuxStream, from: number, onGap: () => string | undefined): Viewer {
    const viewer = startViewer({
      stream,
      ring: this.record.ring,
      from,
      isOver: () => this.over,
      onGap,
      onDone: () => {
        this.#drop(viewer);
        stream.close(this.record.info.terminal ? this.#result : this.info);
      },
    });
    this.#viewers.add(viewer);
    return viewer;
  }

  /** Where a terminal starts: at the beginning, or after a line break when the beginning is no longer kept. */
  #startingPoint(): { from: number; head: Buffer } {
    const { ring, modes } = this.record;
    if (ring.start === 0) return { from: 0, head: Buffer.alloc(0) };
    const feed = ring.read(ring.start, 4096).indexOf('\n');
    return { from: ring.start + feed + 1, head: Buffer.from(`\x1b[0m${modes.enter()}`, 'latin1') };
  }

  #resume(): string {
    if (this.#size !== undefined) this.#repaintAt(this.#size);
    return `\x1b[0m${this.record.modes.enter()}`;
  }

  #control(message: ExecControl): void {
    if ('resize' in message) this.#size = message.resize;
    this.#running.control(message);
  }

  #repaintAt(size: { cols: number; rows: number }): void {
    const { cols, rows } = size;
    this.#size = size;
    this.#running.control({ resize: { cols, rows: rows > 1 ? rows - 1 : 2 } });
    setTimeout(() => this.#size !== undefined && this.#running.control({ resize: this.#size }), REPAINT_MS);
  }

  #drop(viewer: Viewer): void {
    viewer.stop();
    this.#viewers.delete(viewer);
  }

  #wake(): void {
    for (const viewer of this.#viewers) viewer.wake();
  }
}
