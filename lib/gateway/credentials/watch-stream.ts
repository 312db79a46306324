/** Finds placeholders in a streamed body, also across its parts. */
import type { Denied, InspectorDenial } from '../http/inspector.ts';
import { type Found, inBody } from './find-placeholders.ts';
import { CORE_LENGTH } from './placeholder.ts';
import type { PlaceholderBook } from './placeholder-book.ts';

export function watchStream(
  book: PlaceholderBook,
  denialFor: (found: Found) => Denied,
): (part: Buffer) => InspectorDenial | undefined {
  let tail = '';
  return (part) => {
    const text = tail + part.toString('latin1');
    tail = text.slice(1 - CORE_LENGTH);
    const [first] = inBody(text, book);
    return first === undefined ? undefined : denialFor(first).denial;
  };
}
