/** Ctrl-C, SIGTERM and SIGHUP as an abort of one piece of work. A second one ends the process. */
import { SbxError } from '../../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts with an SbxError `cancelled`. */
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
