/** Sizes that both sides keep to. */

/** Largest payload of one READ or WRITE, in bytes */
export const MAX_WRITE = 1024 * 1024;

/** A WRITE of that size with its headers; nothing that the kernel sends is longer */
export const MAX_FRAME = MAX_WRITE + 4096;
