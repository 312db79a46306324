/** Admits a request, the next one on its connection, or a tunnel by name; records every denial. */

import { decide } from '../policy/policy.ts';
import { type Admission, type AdmissionQuestion, admit, admitKnown } from './admit.ts';
import { type Denial, denialOf, denialOfFailure, UNRECORDED } from './denial.ts';
import { canRecord } from './listener-state.ts';
import type { Request } from './request.ts';

export type Admitted = { admission: Admission } | { denial: Denial };

export async function admitRequest(request: Request): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!canRecord(state)) return { denial: UNRECORDED };
  let admission: Admission;
  try {
    admission = await admit(questionOf(request), abort.signal);
  } catch (error) {
    return { denial: denialOfFailure(request, 'unresolved', error) };
  }
  return admission.verdict.allow ? { admission } : { denial: denialOf(request, admission.verdict) };
}

/** For an open connection to one of `addresses`. */
export async function admitAgain(request: Request, addresses: string[]): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!canRecord(state)) return { denial: UNRECORDED };
  const admission = admitKnown(questionOf(request), addresses);
  return admission.verdict.allow ? { admission } : { denial: denialOf(request, admission.verdict) };
}

/** Decides by name alone, for a tunnel whose requests are admitted one by one. Undefined: allowed. */
export async function denialByName(request: Request): Promise<Denial | undefined> {
  const { state, abort, head, purpose } = request;
  await state.pace.turn(abort.signal);
  if (!canRecord(state)) return UNRECORDED;
  if (!state.enforcement.policy) return undefined;
  const verdict = decide(state.policy, head.endpoint, purpose);
  return verdict.allow ? undefined : denialOf(request, verdict);
}

function questionOf({ state, head, purpose, read }: Request): AdmissionQuestion {
  return { ...state, endpoint: head.endpoint, purpose, line: read ? head : undefined, policy: () => state.policy };
}
