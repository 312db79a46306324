/** Creates an error about a merged value, with the place that set it. */
import { type ErrorDetails, SbxError } from '../../errors.ts';
import type { Source } from '../../spec/spec.ts';

export function problem(
  source: Source | undefined,
  message: string,
  details: Pick<ErrorDetails, 'why' | 'hint'>,
): SbxError {
  const place = source === undefined || source === 'default' ? {} : { place: source };
  return new SbxError('config-invalid', message, { ...details, ...place });
}
