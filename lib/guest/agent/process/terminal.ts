/** Runs a command on a terminal of its own. Only the native part of node-pty is used: its JavaScript drops unread output 200 ms after the end. */
import { readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ReadStream } from 'node:tty';
import { terminalType } from './caller.ts';
import type { Command } from './command.ts';
import { unspared } from './oom-score.ts';

export interface Terminal {
  pid: number;
  /** Both directions; reading fails when the last process that has the terminal open has ended */
  stream: ReadStream;
  exit: Promise<{ code: number; signal: number }>;
  /** Ignores invalid sizes */
  resize(size: { cols: number; rows: number }): void;
}

export interface Size {
  cols: number;
  rows: number;
  term: string;
}

interface Native {
  fork(
    file: string,
    args: string[],
    env: string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { fd: number; pid: number };
  resize(fd: number, cols: number, rows: number): void;
}

const MAX_CELLS = 10_000;

export function openTerminal(command: Command, size: Size): Terminal {
  const native = loadNative();
  const { file, args, cwd, uid = -1, gid = -1 } = command;
  const env = Object.entries({ ...command.env, TERM: terminalType(size.term), PWD: cwd }).map(
    ([name, value]) => `${name}=${value}`,
  );
  let ended = (_: { code: number; signal: number }) => {};
  const exit = new Promise<{ code: number; signal: number }>((resolve) => {
    ended = resolve;
  });
  const { cols, rows } = isSize(size) ? size : { cols: 80, rows: 24 };
  const onExit = (code: number, signal: number) => ended({ code, signal });
  const start = () => native.fork(file, args, env, cwd, cols, rows, uid, gid, true, '', onExit);
  const { fd, pid } = unspared(start);
  const stream = new Master(fd);
  return {
    pid,
    stream,
    exit,
    resize(next) {
      if (isSize(next) && !stream.destroyed) native.resize(fd, next.cols, next.rows);
    },
  };
}

const PIECE_BYTES = 64 * 1024;

/**
 * The master side of a terminal. A read returns a page at most, and once the other side has closed libuv treats any short read as the last one:
 * the rest is read here before the end is reported.
 */
class Master extends ReadStream {
  readonly #fd: number;

  constructor(fd: number) {
    super(fd);
    this.#fd = fd;
  }

  override push(piece: unknown, encoding?: BufferEncoding): boolean {
    if (piece === null) for (const left of restOf(this.#fd)) super.push(left);
    return super.push(piece, encoding);
  }
}

/** Reads until the error that marks a terminal's end. */
function* restOf(fd: number): Generator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    let bytes = 0;
    try {
      bytes = readSync(fd, buffer);
    } catch {
      return;
    }
    if (bytes === 0) return;
    yield buffer.subarray(0, bytes);
  }
}

function isSize({ cols, rows }: { cols: number; rows: number }): boolean {
  return [cols, rows].every((cells) => Number.isInteger(cells) && cells > 0 && cells < MAX_CELLS);
}

/** The module is on the runtime disk, beside the bundle and not in it. */
function loadNative(): Native {
  const require = createRequire(`${process.cwd()}/`);
  const { requireBinary } = require(`${process.env['SBX_PTY_MODULE'] ?? '@lydell/node-pty'}/requireBinary.js`) as {
    requireBinary(file: string): Native;
  };
  return requireBinary('pty.node');
}
