/** Asks the inspector of a door, and holds it to its word. */
import { note } from './door-state.ts';
import { endToEnd, type Field, TOKEN } from './fields.ts';
import { aboutOf, type Refusal, type Request } from './request.ts';

/** The fields as they go on; a refusal is recorded here. `secure`: inside TLS. */
export async function inspect(request: Request, secure: boolean): Promise<{ fields: Field[] } | { refusal: Refusal }> {
  const { state, head } = request;
  const fields = endToEnd(head.fields).filter(([name]) => name.toLowerCase() !== 'host');
  if (state.inspector === undefined) return { fields };
  const { host, port } = head.endpoint;
  const message = { method: head.method, host, port, secure, target: head.target, fields };
  try {
    const answer = await state.inspector.request(message);
    if (!('refusal' in answer)) return { fields: checked(answer.fields) };
    const { status, text, reason } = answer.refusal;
    note(state, { ...aboutOf(request), verdict: 'deny', reason: 'refused', detail: reason });
    return { refusal: { status, text } };
  } catch {
    // Its error may carry what must not be seen.
    note(state, {
      ...aboutOf(request),
      verdict: 'deny',
      reason: 'refused',
      detail: 'the request could not be inspected',
    });
    return { refusal: { status: 502, text: `sbx: the request to ${host} could not be inspected, so it was not sent` } };
  }
}

/** A value with a line end would be two fields. */
function checked(fields: Field[]): Field[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (fields.every(([name, value]) => TOKEN.test(name) && !/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/.test(value)))
    return fields;
  throw new Error('malformed fields');
}
