/** Shows the organisation's policy of this machine. */
import { type Place, SbxError } from '../../errors.ts';
import { summaryOf } from '../../organisation/check-project.ts';
import { type Organisation, readOrganisation } from '../../organisation/policy-file.ts';
import type { CheckResult } from './check-result.ts';

/** Nothing where there is none. */
export function organisationPolicy(read: () => Organisation = () => readOrganisation()): CheckResult[] {
  try {
    const text = summaryOf(read());
    return text === undefined ? [] : [{ name: 'policy', status: 'ok', message: text }];
  } catch (error) {
    if (!(error instanceof SbxError)) throw error;
    const { message, why, place, hint } = error;
    const text = [`${message}${placeText(place)}`, why].filter(Boolean).join(': ');
    return [{ name: 'policy', status: 'failed', message: text, ...(hint === undefined ? {} : { fix: hint }) }];
  }
}

function placeText(place: Place | undefined): string {
  return place === undefined ? '' : ` (${place.file}:${place.line})`;
}
