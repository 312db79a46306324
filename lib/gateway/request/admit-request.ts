/** The admission of a request, of the next one on its connection, of a tunnel by name. Every refusal is recorded. */

import { decide } from '../policy/policy.ts';
import { type Admission, type AdmissionQuestion, admit, admitKnown } from './admit.ts';
import { denied, failed, type Refusal, UNRECORDED } from './denial.ts';
import { mayNote } from './listener-state.ts';
import type { Request } from './request.ts';

export type Admitted = { admission: Admission } | { refusal: Refusal };

export async function admitRequest(request: Request): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return { refusal: UNRECORDED };
  let admission: Admission;
  try {
    admission = await admit(questionOf(request), abort.signal);
  } catch (error) {
    return { refusal: failed(request, 'unresolved', error) };
  }
  return admission.verdict.allow ? { admission } : { refusal: denied(request, admission.verdict) };
}

/** For a connection that leads to `addresses` already. */
export async function admitAgain(request: Request, addresses: string[]): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return { refusal: UNRECORDED };
  const admission = admitKnown(questionOf(request), addresses);
  return admission.verdict.allow ? { admission } : { refusal: denied(request, admission.verdict) };
}

/** By name alone, for a tunnel whose requests are admitted one by one. Undefined: allowed. */
export async function refusedByName(request: Request): Promise<Refusal | undefined> {
  const { state, abort, head, purpose } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return UNRECORDED;
  if (!state.controls.policy) return undefined;
  const verdict = decide(state.policy, head.endpoint, purpose);
  return verdict.allow ? undefined : denied(request, verdict);
}

function questionOf({ state, head, purpose, read }: Request): AdmissionQuestion {
  return { ...state, endpoint: head.endpoint, purpose, line: read ? head : undefined, policy: () => state.policy };
}
