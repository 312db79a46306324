/** Follows a long request of the daemon, with its progress. Ctrl-C cancels it at a safe point. */
import type { DaemonEvent } from '../../api/contract.ts';
import type { Progress, View } from '../view/types.ts';
import { interruptible } from './interrupt.ts';

const LINE_MAX = 100;

export async function follow<T>(
  view: View,
  title: string,
  work: (signal: AbortSignal, onEvent: (event: DaemonEvent) => void) => Promise<T>,
): Promise<T> {
  // From the first event on: a request that is refused prints its error only.
  let progress: Progress | undefined;
  const onEvent = (event: DaemonEvent) => {
    progress ??= view.progress(title);
    show(event, progress);
  };
  try {
    const result = await interruptible((signal) => work(signal, onEvent));
    progress?.done();
    return result;
  } catch (error) {
    progress?.fail();
    throw error;
  }
}

function show(event: DaemonEvent, progress: Progress): void {
  if (event.type === 'progress') progress.update(`${event.sandbox}: ${event.message}`);
  else if (event.type === 'output') progress.update(`${event.sandbox}: ${event.line.slice(0, LINE_MAX)}`);
  else if (event.type === 'step' && event.status === 'started') progress.update(`${event.sandbox}: ${event.action}`);
  else if (event.type === 'step' && event.status === 'done' && event.durationMs !== undefined)
    progress.note(`${event.sandbox}: ${event.action} done in ${(event.durationMs / 1000).toFixed(2)} s`);
}
