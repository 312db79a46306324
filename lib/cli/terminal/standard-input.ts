/** What stdin is, without making a stream of it: that alone takes a command some milliseconds. */
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

const STDIN = 0;
/** Of Linux: major 1, minor 3 */
const DEV_NULL = 0x103;

export function isTerminal(): boolean {
  return isatty(STDIN);
}

/** Something can come of it: it is open, and not /dev/null. A command without input reads its end at once, as it would from there. */
export function hasInput(): boolean {
  try {
    const stat = fstatSync(STDIN);
    return !(stat.isCharacterDevice() && stat.rdev === DEV_NULL);
  } catch {
    return false;
  }
}
