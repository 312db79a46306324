/** Asks the inspector of a door, and holds it to its word. */

import { endToEnd, type Field, type Framing, TOKEN } from '../http/headers.ts';
import type { Passing, Refusal as Refused } from '../http/inspector.ts';
import type { RequestHead } from '../http/request-head.ts';
import { heldBody, waitsForContinue } from './buffered-body.ts';
import type { Refusal } from './denial.ts';
import { type ListenerState, note } from './listener-state.ts';
import { aboutOf, type Request } from './request.ts';

/** A request as it goes on. */
export interface Inspected {
  fields: Field[];
  /** Read whole already */
  held?: Buffer | undefined;
  watch?: Passing['watch'];
}

/** The request as it goes on; a refusal is recorded here. `secure`: inside TLS. */
export async function inspect(request: Request, secure: boolean): Promise<Inspected | { refusal: Refusal }> {
  const { state, head } = request;
  const fields = withoutConnection(state, head.fields).filter(([name]) => name.toLowerCase() !== 'host');
  if (state.inspector === undefined) return { fields };
  const { host, port } = head.endpoint;
  const message = { method: head.method, host, port, secure, target: head.target, fields };
  try {
    const held = await heldBody(request, state.inspector.bodyMax ?? 0);
    const answer = await state.inspector.request(held === undefined ? message : { ...message, body: held });
    if ('refusal' in answer) return { refusal: refused(request, answer.refusal) };
    request.detail = answer.detail;
    return { ...goingOn(answer, held, waitsForContinue(head.fields)), watch: answer.watch };
  } catch {
    // Its error may carry what must not be seen.
    const reason = 'the request could not be inspected';
    const text = `sbx: the request to ${host} could not be inspected, so it was not sent`;
    return { refusal: refused(request, { status: 502, text, reason }) };
  }
}

/** Records it; what the client is told comes back. */
export function refused(request: Request, { status, text, reason }: Refused): Refusal {
  note(request.state, { ...aboutOf(request), verdict: 'deny', reason: 'refused', detail: reason });
  return { status, text };
}

/** The head with the framing of the body that goes on. */
export function headFor(head: RequestHead, { held }: Inspected): RequestHead {
  if (held === undefined) return head;
  const body: Framing = { kind: 'length', bytes: held.length };
  return { ...head, body };
}

function withoutConnection({ controls }: ListenerState, fields: Field[]): Field[] {
  return controls.hopByHop
    ? endToEnd(fields)
    : endToEnd(fields.filter(([name]) => name.toLowerCase() !== 'connection'));
}

function goingOn({ fields, body }: Passing, held: Buffer | undefined, continued: boolean): Inspected {
  checkFields(fields);
  if (held === undefined) return { fields };
  // The word that it waits for was said.
  const left = continued ? fields.filter(([name]) => name.toLowerCase() !== 'expect') : fields;
  return { fields: left, held: body ?? held };
}

/** A value with a line end would be two fields. */
function checkFields(fields: Field[]): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const isOne = ([name, value]: Field) => TOKEN.test(name) && !/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value);
  if (!fields.every(isOne)) throw new Error('malformed fields');
}
