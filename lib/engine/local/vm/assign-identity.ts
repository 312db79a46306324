/** Assigns a guest its identity through the setup helper. */
import { randomBytes, randomUUID } from 'node:crypto';
import { runSetup, type SetupOptions } from '../../../guest/setup/client.ts';
import { type Identity, identityOperations } from '../../../guest/setup/identity.ts';
import type { SetupResult } from '../../../guest/setup/operations.ts';
import { within } from '../../../system/deadline.ts';

/** How long a resumed or booted guest may take to answer */
export const ANSWER_MS = 30_000;

/** Entropy, time and machine id are new with each call. */
export function newIdentity(known: Pick<Identity, 'hostname' | 'mounts' | 'ca' | 'git' | 'docker'>): Identity {
  return {
    entropy: randomBytes(64),
    timeNs: BigInt(Date.now()) * 1_000_000n,
    machineId: randomUUID().replaceAll('-', ''),
    ...known,
  };
}

/** Has a deadline of its own, as connecting has: each error names the part that did not answer. @throws the reason of `signal` when it aborts. */
export async function assignIdentity(
  setup: string,
  identity: Identity,
  { last, signal }: SetupOptions,
): Promise<SetupResult> {
  using limit = within(ANSWER_MS, signal);
  return await runSetup(setup, identityOperations(identity), { last, signal: limit }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}
