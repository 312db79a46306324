/** What may be a secret: text that a header can carry. Pure. */
import { SbxError } from '../errors.ts';

const VALUE_MAX = 16 * 1024;

/** @throws SbxError `secret`, without the value */
export function checkValue(name: string, value: string): string {
  const why =
    value === ''
      ? 'it is empty'
      : value.length > VALUE_MAX
        ? `it is longer than ${VALUE_MAX / 1024} KiB`
        : /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
          ? undefined
          : 'it has a line end, a control character, a character beyond ASCII, or a space at an end';
  if (why === undefined) return value;
  throw new SbxError('secret', `the value of "${name}" cannot be a secret`, {
    why,
    hint: 'it must be one line that a header of a request can carry',
  });
}
