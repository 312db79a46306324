/** What the handlers of steps work with. */

import type { Pool } from '../pool/pool.ts';
import type { MachineDeps } from '../vm/deps.ts';

export interface HandlerDeps extends MachineDeps {
  pool: Pool;
}

export interface StepContext {
  id: string;
  signal: AbortSignal;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
}
