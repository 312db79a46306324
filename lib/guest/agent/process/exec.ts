/**
 * Commands: each leads a session of its own, which ends with its stream. The result comes when the command itself has ended and what it wrote
 * was sent; a process that it left in the background goes on, unheard, as after a shell.
 */

import { CHANNEL, type ExecControl, type ExecRequest } from '../../protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../protocol/mux.ts';
import { commandOf, isRefusal, type Refusal } from './command.ts';
import { drained, forward } from './output.ts';
import { type Running, startProcess } from './running.ts';

export function exec(stream: MuxStream, request: ExecRequest, base: Record<string, string>): StreamEvents {
  try {
    const command = commandOf(request, base);
    return isRefusal(command) ? refuse(stream, command) : serve(stream, startProcess(command, request));
  } catch (error) {
    // A command line that is too long, for example.
    return refuse(stream, { code: 126, message: error instanceof Error ? error.message : String(error) });
  }
}

/** What a shell would say, and its code. */
export function refuse(stream: MuxStream, { code, message }: Refusal): StreamEvents {
  void stream.send(CHANNEL.stderr, Buffer.from(`sbx: ${message}\n`)).then(() => stream.close({ code }));
  return DISCARD;
}

function serve(stream: MuxStream, running: Running): StreamEvents {
  const outputs = running.outputs.map(({ channel, readable }) => forward(readable, channel, stream));
  void running.exit.then(async (result) => {
    if (result instanceof Error) return void refuse(stream, { code: 126, message: result.message });
    await drained(outputs);
    stream.close(result);
    running.release();
  });
  return {
    onData: (_channel, data, taken) => running.write(data, taken),
    onEnd: () => running.endInput(),
    onControl: (message) => running.control(message as ExecControl),
    onClose: () => {},
    onReset() {
      running.end();
      running.release();
    },
  };
}
