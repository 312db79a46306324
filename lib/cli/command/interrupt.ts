/** Ctrl-C, SIGTERM and SIGHUP: they abort work that can be undone, and end what only shows something. */
import { constants } from 'node:os';
import { SbxError } from '../../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts with an SbxError `cancelled`. A second signal ends the process. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onInterrupt = () => {
    stop();
    abort.abort(new SbxError('cancelled', 'cancelled'));
  };
  const stop = () => {
    for (const name of SIGNALS) process.off(name, onInterrupt);
  };
  for (const name of SIGNALS) process.once(name, onInterrupt);
  try {
    return await work(abort.signal);
  } finally {
    stop();
  }
}

/** Of a command that only shows: a signal ends the process at once with 128 + its number, also when its output is not read. */
export function endOnSignal(): Disposable {
  const end = (name: NodeJS.Signals) => process.exit(128 + constants.signals[name]);
  for (const name of SIGNALS) process.once(name, end);
  return {
    [Symbol.dispose]() {
      for (const name of SIGNALS) process.off(name, end);
    },
  };
}
