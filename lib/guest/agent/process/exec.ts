/**
 * Runs commands: each leads a session of its own, which ends with its stream. The result is sent when the command itself has ended and its
 * output was sent; a process that it left in the background continues, with its output discarded, as after a shell.
 */
import { CHANNEL, type ExecControl, type ExecRequest } from '../../protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../protocol/mux.ts';
import { commandOf, isRefusal, type Refusal } from './command.ts';
import { drained, forward } from './output.ts';
import type { Running } from './running.ts';
import type { Workload } from './workload.ts';

interface ExecDeps {
  workload: Workload;
  /** Environment, overridden by that of the request */
  base: Record<string, string>;
}

export function exec(stream: MuxStream, request: ExecRequest, { workload, base }: ExecDeps): StreamEvents {
  try {
    const command = commandOf(request, base);
    return isRefusal(command) ? refuse(stream, command) : serve(stream, workload.start(command, request));
  } catch (error) {
    // For example, the command line is too long.
    return refuse(stream, { code: 126, message: error instanceof Error ? error.message : String(error) });
  }
}

/** Answers with a shell's message and code. */
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
