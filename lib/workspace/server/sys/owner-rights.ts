/**
 * Lets the server open what its mode denies the host's user, who owns it. The right is CAP_DAC_OVERRIDE of the jail's own user namespace: it counts for
 * files of that user and his group only, and never for a read-only mount. He could change such a mode as well; with this right it stays as it is.
 */
import { check, libc } from './libc.ts';

/** Of `linux/capability.h` */
const VERSION_3 = 0x2008_0522;
const DAC_OVERRIDE = 1 << 1;

const header = Buffer.alloc(8);
header.writeUInt32LE(VERSION_3);
/** Effective, permitted and inheritable: capabilities 0 to 31, then 32 to 63 */
const sets = Buffer.alloc(24);

let canBeUsed = false;
let isUsed = false;

/** Call it at the start: from then on the right counts in `withOwnerRights` only. Without it in the jail nothing happens. */
export function setOwnerRightsAside(): void {
  check(libc().capget(header, sets));
  canBeUsed = (sets.readUInt32LE(4) & DAC_OVERRIDE) !== 0;
  if (canBeUsed) use(false);
}

/** Runs `work`, which must not be asynchronous, with the right. */
export function withOwnerRights<T>(work: () => T): T {
  if (!canBeUsed || isUsed) return work();
  use(true);
  try {
    return work();
  } finally {
    use(false);
  }
}

/** Of this thread only */
function use(value: boolean): void {
  const effective = sets.readUInt32LE(0);
  sets.writeUInt32LE(value ? effective | DAC_OVERRIDE : effective & ~DAC_OVERRIDE, 0);
  check(libc().capset(header, sets));
  isUsed = value;
}
