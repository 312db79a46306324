/** Limits concurrent heavy steps: a host that boots everything at once boots nothing in time. */
import PQueue from 'p-queue';
import type { Step } from '../plan/types.ts';

export interface StepQueue {
  /** Runs light steps at once, heavy ones as soon as there is a slot. An abort while it waits rejects at once and `work` never starts; once started, `work` is waited for. */
  run(action: Step['action'], work: () => Promise<void>, wait: Wait): Promise<void>;
  onIdle(): Promise<void>;
}

interface Wait {
  signal: AbortSignal;
  /** No slot is free */
  onWaiting: () => void;
}

const HEAVY: ReadonlySet<Step['action']> = new Set(['build', 'create', 'start', 'suspend', 'resume']);

export function createStepQueue(concurrency: number): StepQueue {
  const queue = new PQueue({ concurrency });
  return {
    async run(action, work, { signal, onWaiting }) {
      signal.throwIfAborted();
      if (!HEAVY.has(action)) return work();
      if (queue.size > 0 || queue.pending >= concurrency) onWaiting();
      // The queue drops work whose signal aborts, also while it runs: this signal aborts only before the start.
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
