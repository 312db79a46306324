/** The client of a process in the guest, shared by commands and sessions. */
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { CHANNEL, type ExecResult } from '../protocol/messages.ts';
import type { MuxStream, StreamEvents } from '../protocol/mux.ts';
import { inputOf, streamEvents } from './client-streams.ts';

export interface ProcessClient {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Rejects with `guest-protocol` when the connection ends first */
  exit: Promise<ExecResult>;
  resize(cols: number, rows: number): void;
  /** `signal`: a name such as `SIGINT` */
  kill(signal: string): void;
}

export interface OpenedProcess {
  stream: MuxStream;
  events: StreamEvents;
  client: ProcessClient;
}

/** `open`: opens the stream with these events. */
export function openProcess(open: (events: StreamEvents) => MuxStream): OpenedProcess {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const { events, result } = streamEvents<ExecResult>(
    (channel) => (channel === CHANNEL.stderr ? stderr : stdout),
    [stdout, stderr],
  );
  const stream = open(events);
  const client: ProcessClient = {
    stdin: inputOf(stream),
    stdout,
    stderr,
    exit: result,
    resize: (cols, rows) => stream.control({ resize: { cols, rows } }),
    kill: (signal) => stream.control({ signal }),
  };
  return { stream, events, client };
}
