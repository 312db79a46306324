/** Heavy steps take turns: a host that boots everything at once boots nothing in time. */
import PQueue from 'p-queue';
import type { Step } from '../plan/types.ts';

export interface StepQueue {
  /** Runs `work` when it is its turn, light steps at once. Aborted while it waits, it rejects there and then and never starts; once it runs, it is waited for. */
  run(action: Step['action'], work: () => Promise<void>, wait: Wait): Promise<void>;
  onIdle(): Promise<void>;
}

export interface Wait {
  signal: AbortSignal;
  /** There is no place yet */
  onWaiting: () => void;
}

const HEAVY: ReadonlySet<Step['action']> = new Set(['build', 'create', 'start']);

export function createStepQueue(concurrency: number): StepQueue {
  const queue = new PQueue({ concurrency });
  return {
    async run(action, work, { signal, onWaiting }) {
      signal.throwIfAborted();
      if (!HEAVY.has(action)) return work();
      if (queue.size > 0 || queue.pending >= concurrency) onWaiting();
      // The queue lets go of work whose signal aborts, also while it runs: it is given one that does so only before that.
      const waiting = new AbortController();
      const leave = () => waiting.abort(signal.reason);
      const begin = () => {
        signal.removeEventListener('abort', leave);
        return work();
      };
      signal.addEventListener('abort', leave, { once: true });
      await queue.add(begin, { signal: waiting.signal });
    },
    onIdle: () => queue.onIdle(),
  };
}
