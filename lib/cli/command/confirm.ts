/** Asks the user before something is lost, and prints what. */
import { SbxError } from '../../errors.ts';
import type { Consent, Loss } from '../../plan/loss.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';

interface Asking {
  view: View;
  /** Asks nothing: what it does not cover is refused */
  yes: boolean;
  discard?: boolean;
}

/** Asks about what the daemon refuses to do unasked: a yes agrees to all that was named. @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirmed<T>(
  { view, yes, discard = false }: Asking,
  work: (consent: Consent) => Promise<T>,
): Promise<T> {
  const given = { ...(yes && { confirmed: true }), ...(discard && { discard }) };
  try {
    return await work(given);
  } catch (error) {
    if (!(error instanceof SbxError) || error.code !== 'needs-confirmation' || yes || !view.asks) throw error;
    await confirm(view, `${error.message}: ${inOneLine(error.why ?? '')}. Continue?`);
    return work({ confirmed: true, discard: true });
  }
}

/** @throws SbxError `needs-confirmation`, `cancelled` */
export async function confirm(view: View, question: string): Promise<void> {
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

export function lossLines(losses: readonly Loss[]): string[] {
  return losses.map(({ message }) => inOneLine(message));
}
