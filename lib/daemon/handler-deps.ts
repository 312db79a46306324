/** What the handlers of steps work with. */
import type { MachineDeps } from './machine-deps.ts';
import type { Pool } from './pool.ts';

export interface HandlerDeps extends MachineDeps {
  pool: Pool;
}

export interface StepContext {
  id: string;
  signal: AbortSignal;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
}
