/** Events for clients that wait for the steps of their request. */

import type { DaemonEvent, RequestContext } from '../../api/contract.ts';
import type { ApplyResult } from '../../api/project-contract.ts';
import { toErrorJson } from '../../errors.ts';
import type { StepEvent } from '../../reconcile/supervisor.ts';

/** The listeners of each sandbox: all of them receive what its steps report. */
export interface Listeners {
  tell(id: string, event: DaemonEvent): void;
  /** Returns the function that removes it */
  add(id: string, listener: (event: DaemonEvent) => void): () => void;
}

export function createListeners(): Listeners {
  const all = new Map<string, Set<(event: DaemonEvent) => void>>();
  return {
    tell(id, event) {
      for (const listener of all.get(id) ?? []) listener(event);
    },
    add(id, listener) {
      const own = all.get(id) ?? new Set();
      all.set(id, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0 && all.get(id) === own) all.delete(id);
      };
    },
  };
}

/** Sends a step's event to the client, and adds a step that is done to the result. */
export function report(event: StepEvent, context: RequestContext, steps: ApplyResult['steps']): void {
  const { sandbox, action } = event.step;
  if (event.status === 'waiting') {
    context.emit({ type: 'progress', sandbox, message: 'waiting for other builds and starts' });
    return;
  }
  if (event.status === 'done') steps.push({ sandbox, action, durationMs: event.durationMs ?? 0 });
  context.emit({
    type: 'step',
    sandbox,
    action,
    status: event.status,
    ...(event.error === undefined ? {} : { error: toErrorJson(event.error) }),
    ...(event.durationMs === undefined ? {} : { durationMs: event.durationMs }),
  });
}
