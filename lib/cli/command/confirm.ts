/** Asks the user before something is lost. */
import type { Confirmation } from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';

interface Asking {
  view: View;
  /** Asks nothing */
  yes: boolean;
}

/** Asks about what the daemon refuses to do unasked. @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirmed<T>(
  { view, yes }: Asking,
  work: (confirmation: Confirmation) => Promise<T>,
): Promise<T> {
  try {
    return await work(yes ? { confirmed: true } : {});
  } catch (error) {
    if (!(error instanceof SbxError) || error.code !== 'needs-confirmation' || yes || !view.asks) throw error;
    await confirm({ view, yes }, `${error.message}: ${inOneLine(error.why ?? '')}. Continue?`);
    return work({ confirmed: true });
  }
}

/** @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirm({ view, yes }: Asking, question: string): Promise<void> {
  if (yes) return;
  const answer = await view.confirm(question);
  if (answer === true) return;
  if (answer === false)
    throw new SbxError('cancelled', 'cancelled: nothing was changed', {
      hint: 'run the command again to be asked again',
    });
  throw new SbxError('needs-confirmation', 'confirmation required', {
    why: view.json ? '--json asks no questions' : 'stdin or stderr is not a terminal',
    hint: 'add --yes',
  });
}
