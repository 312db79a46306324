/** Runs the signer of each sandbox with `[git] sign`; each use is in its audit log. */
import type { Gateway } from '../../../gateway/gateway.ts';
import { createPace } from '../../../gateway/limits/limits.ts';
import { SIGNER } from '../../../gateway/policy/services.ts';
import { type Home, instancePaths } from '../../../paths.ts';
import type { HostAgents } from '../../../signing/host-agents.ts';
import { openSigner, type SignerUse } from '../../../signing/signer.ts';

export interface SignersDeps {
  home: Home;
  gateway: Pick<Gateway, 'record'>;
  agents: HostAgents;
}

/** A rebase signs each commit: more wait for their turn */
const PER_SECOND = 5;

const REASONS = { allow: 'rule', deny: 'refused', error: 'upstream-failed' } as const;

export class Signers implements Disposable {
  readonly #deps: SignersDeps;
  readonly #open = new Map<string, { key: string; close: () => Promise<void> }>();

  constructor(deps: SignersDeps) {
    this.#deps = deps;
  }

  /** The key of a sandbox from now on; undefined: nothing signs for it. */
  async set(id: string, key: string | undefined): Promise<void> {
    const found = this.#open.get(id);
    if (found?.key === key) return;
    this.#open.delete(id);
    await found?.close();
    if (key === undefined) return;
    const { home, agents } = this.#deps;
    const pace = createPace(PER_SECOND);
    const close = await openSigner({
      socketPath: instancePaths(home, id).signerSocket,
      key: () => this.#open.get(id)?.key,
      agents,
      turn: () => pace.turn(),
      record: (use) => this.#record(id, use),
    });
    this.#open.set(id, { key, close });
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#open.keys()]) void this.set(id, undefined);
  }

  #record(id: string, { verdict, detail }: SignerUse): boolean {
    return this.#deps.gateway.record(id, { verdict, reason: REASONS[verdict], detail, ...SIGNER, method: 'SIGN' });
  }
}
