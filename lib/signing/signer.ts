/** The ssh agent that one sandbox sees: it has one key, and signs commits and tags by the agent of the host. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { listenAt } from '../system/unix-socket.ts';
import { decideMessage, type FilterEnforcement, FULL_FILTER } from './filter.ts';
import type { HostAgents } from './host-agents.ts';
import { readMessages } from './messages.ts';
import { blobOf, fingerprintOf } from './public-key.ts';
import type { SignedData } from './signed-data.ts';
import { frame, MESSAGE, sshString, uint32 } from './wire.ts';

/** One use of the agent, for the log. */
export interface SignerUse {
  verdict: 'allow' | 'deny' | 'error';
  detail: string;
}

export interface SignerOptions {
  socketPath: string;
  /** The approved key now, as `publicKeyOf` returns it; undefined: none */
  key: () => string | undefined;
  agents: Pick<HostAgents, 'sign'>;
  /** Waits for a turn; undefined: at once */
  turn: () => Promise<void> | undefined;
  /** False: it was not written, and nothing is signed */
  record: (use: SignerUse) => boolean;
  /** For tests that switch one control off */
  enforcement?: Partial<FilterEnforcement>;
}

const CONNECTIONS = 8;
const IDLE_MS = 120_000;

/** @returns what closes it, with its connections */
export async function openSigner(options: SignerOptions): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  let served = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    if (served >= CONNECTIONS) {
      deny(options, 'too many connections at once');
      // Read to its end: closed before, its answer would be lost.
      return void socket.resume().end(failure('too many signatures at once: try again'));
    }
    served += 1;
    socket.once('close', () => {
      served -= 1;
    });
    serve(socket, options).then(
      () => socket.end(),
      (error: Error) => {
        deny(options, error.message);
        socket.destroy();
      },
    );
  });
  rmSync(options.socketPath, { force: true });
  await listenAt(server, options.socketPath);
  chmodSync(options.socketPath, 0o600);
  return async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(options.socketPath, { force: true });
  };
}

/** One message at a time: the next one is read when the last one is answered. */
async function serve(socket: Socket, options: SignerOptions): Promise<void> {
  for await (const message of readMessages(socket)) {
    await options.turn();
    if (socket.destroyed) return;
    socket.write(await answerTo(message, options));
  }
}

async function answerTo(message: Buffer, options: SignerOptions): Promise<Buffer> {
  const key = options.key();
  if (key === undefined) return failure('no key was approved: run `sbx apply` on the host');
  const decision = decideMessage(message, key, { ...FULL_FILTER, ...options.enforcement });
  if (decision.kind === 'identities')
    return frame(MESSAGE.identities, uint32(1), sshString(blobOf(key)), sshString('sbx'));
  if (decision.kind === 'refused') {
    deny(options, decision.why);
    return failure(decision.why);
  }
  const { data, flags, signed } = decision;
  if (!options.record({ verdict: 'allow', detail: useOf(signed, key) }))
    return failure('the audit log cannot be written: free space on the host, then try again');
  try {
    return frame(MESSAGE.signResponse, sshString(await options.agents.sign({ key, data, flags })));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.record({ verdict: 'error', detail: why });
    return failure(why);
  }
}

function useOf({ namespace, algorithm, hash }: SignedData, key: string): string {
  return `signs for ${namespace} ${algorithm}:${hash.toString('hex')} by ${fingerprintOf(key)}`;
}

function deny({ record }: SignerOptions, why: string): void {
  record({ verdict: 'deny', detail: `refused ${why}` });
}

/** Clients of OpenSSH read the number only, git-sign.pl also the reason. */
function failure(why: string): Buffer {
  return frame(MESSAGE.failure, sshString(why));
}
