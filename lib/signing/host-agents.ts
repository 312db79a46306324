/** The ssh agents of the host's user: those that command lines have named, and that of the daemon. */
import { isAbsolute } from 'node:path';
import { askAgent } from './ask-agent.ts';
import { blobOf, fingerprintOf } from './public-key.ts';
import { Fields, frame, MESSAGE, sshString, uint32 } from './wire.ts';

/** Most recent first */
const KEPT = 8;
const KEYS_MAX = 1_000;
/** Listing keys needs no consent of the user, a signature may */
const LIST_MS = 5_000;
const SIGN_MS = 60_000;

export interface SignRequest {
  key: string;
  data: Buffer;
  flags: number;
}

export class HostAgents {
  #sockets: string[] = [];

  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.note(env['SSH_AUTH_SOCK']);
  }

  /** `SSH_AUTH_SOCK` of a command line. A login's forwarded agent ends with it, so that earlier ones are kept. */
  note(socket: string | undefined): void {
    if (socket === undefined || !isAbsolute(socket) || socket.includes('\0')) return;
    this.#sockets = [socket, ...this.#sockets.filter((one) => one !== socket)].slice(0, KEPT);
  }

  /** Why the key cannot sign now, and what to do; undefined: an agent has it. */
  async problemOf(key: string): Promise<string | undefined> {
    const found = await this.#find(key);
    return 'socket' in found ? undefined : found.problem;
  }

  /** The signature, with the name of its algorithm. @throws Error with the reason and what to do on the host. */
  async sign({ key, data, flags }: SignRequest): Promise<Buffer> {
    const found = await this.#find(key);
    if (!('socket' in found)) throw new Error(found.problem);
    const request = frame(MESSAGE.signRequest, sshString(blobOf(key)), sshString(data), uint32(flags));
    const answer = await askAgent(found.socket, request, SIGN_MS).catch((error: Error) => {
      throw new Error(`the ssh agent of the host gave no signature: ${error.message}`, { cause: error });
    });
    const fields = new Fields(answer.subarray(1));
    const signature = fields.string();
    if (answer[0] === MESSAGE.signResponse && signature !== undefined && fields.atEnd) return signature;
    throw new Error('the ssh agent of the host refused: it may be locked, or its user declined');
  }

  /** The first agent that has the key. */
  async #find(key: string): Promise<{ socket: string } | { problem: string }> {
    let answered = 0;
    for (const socket of this.#sockets) {
      const keys = await keysOf(socket).catch(() => undefined);
      if (keys?.some((one) => one.equals(blobOf(key)))) return { socket };
      if (keys !== undefined) answered += 1;
    }
    const again = 'then run any sbx command in the same shell, such as `sbx ls`';
    if (this.#sockets.length === 0)
      return { problem: `no ssh agent of the host is known: start one, add the key with ssh-add, ${again}` };
    if (answered === 0)
      return { problem: `the ssh agent of the host does not answer: start one, add the key with ssh-add, ${again}` };
    return { problem: `the ssh agent of the host does not have the key ${fingerprintOf(key)}: add it with ssh-add` };
  }
}

async function keysOf(socket: string): Promise<Buffer[]> {
  const answer = await askAgent(socket, frame(MESSAGE.requestIdentities), LIST_MS);
  const fields = new Fields(answer.subarray(1));
  const count = answer[0] === MESSAGE.identities ? (fields.uint32() ?? 0) : 0;
  return Array.from({ length: Math.min(count, KEYS_MAX) }, () => {
    const blob = fields.string();
    fields.string();
    return blob;
  }).filter((blob) => blob !== undefined);
}
