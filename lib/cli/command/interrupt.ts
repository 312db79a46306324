/** Ctrl-C and SIGTERM as an abort of one piece of work. A second one ends the process. */
import { SbxError } from '../../errors.ts';

/** Aborts with an SbxError `cancelled`. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onInterrupt = () => {
    stop();
    abort.abort(new SbxError('cancelled', 'cancelled'));
  };
  const stop = () => {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  };
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  try {
    return await work(abort.signal);
  } finally {
    stop();
  }
}
