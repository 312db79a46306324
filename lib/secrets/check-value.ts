/** Checks that a secret can be sent in a header. Pure. */
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
          : 'it contains a line end, a control or non-ASCII character, or starts or ends with a space';
  if (why === undefined) return value;
  throw new SbxError('secret', `invalid value for the secret "${name}"`, {
    why,
    hint: 'use one line that is valid in an HTTP header',
  });
}
