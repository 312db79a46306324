/** A client and a guest agent that share a mailbox file; the guest can be replaced by a hostile one. */
import { ftruncateSync, openSync } from 'node:fs';
import { userInfo } from 'node:os';
import { get as sendOut, put as takeIn } from '../../../../lib/guest/agent/copy.ts';
import type { GuestMailbox } from '../../../../lib/guest/agent/guest-mailbox.ts';
import type { Opener } from '../../../../lib/guest/client/copy-stream.ts';
import { MAILBOX_BYTES } from '../../../../lib/guest/copy/lane.ts';
import type { GetRequest, PutRequest } from '../../../../lib/guest/protocol/messages.ts';
import { DISCARD, Mux, type MuxStream, type Pipe, type StreamEvents } from '../../../../lib/guest/protocol/mux.ts';
import { Decoder, hello, TYPE } from '../../../../lib/guest/protocol/wire.ts';

export const USER = String(userInfo().uid);

/** For `expect.poll`: a busy machine takes its time */
export const PATIENT = { timeout: 20_000 };

export type Agent = (stream: MuxStream, service: string, body: unknown) => StreamEvents;

export function makeMailbox(path: string): void {
  ftruncateSync(openSync(path, 'wx'), MAILBOX_BYTES);
}

export function agentWith(mailbox: GuestMailbox): Agent {
  return (stream, service, body) =>
    service === 'put'
      ? takeIn(stream, body as PutRequest, mailbox)
      : sendOut(stream, body as GetRequest, { mailbox, perl: ['perl'] });
}

/** Holds what an asynchronous method does until it is opened. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** Lanes that are free now */
export async function freeLanes(mailbox: GuestMailbox): Promise<number> {
  const lanes = [await mailbox.openLane(), await mailbox.openLane()].filter((lane) => lane !== undefined);
  for (const lane of lanes) await lane[Symbol.asyncDispose]();
  return lanes.length;
}

/** `portBytes`: what went through the port as data, both ways */
export function connectTo(agent: Agent): Opener & { portBytes: () => number } {
  let bytes = 0;
  const muxes: Mux[] = [];
  const pipeTo = (other: number): Pipe => {
    const decoder = new Decoder();
    decoder.push(hello(Buffer.alloc(16)));
    return {
      write: (data) =>
        new Promise((resolve) =>
          setImmediate(() => {
            for (const frame of decoder.push(data)) {
              if (frame.type === TYPE.data) bytes += frame.payload.length;
              muxes[other]?.receive(frame);
            }
            resolve();
          }),
        ),
    };
  };
  muxes.push(new Mux(pipeTo(1), () => DISCARD), new Mux(pipeTo(0), agent));
  return {
    openRaw: (service, body, events) => (muxes[0] as Mux).open(service, body, events),
    portBytes: () => bytes,
  };
}
