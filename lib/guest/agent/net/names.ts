/** Maps host names to synthetic addresses of the guest, from 198.18.0.0/15, which is not routed on the Internet. */

export interface Names {
  /** The address of a name, the same for as long as the name is remembered */
  addressOf(name: string): string;
  /** The name of an address; undefined: none is assigned */
  nameOf(address: string): string | undefined;
}

/** Addresses in 198.18.0.0/15, without the first */
const ADDRESSES = 2 ** 17 - 1;

// Half of the addresses: a released one is not assigned again before tens of thousands of new names.
const REMEMBERED = 2 ** 16;

/** `limit`: most names remembered, below `addresses`; the least recently used is forgotten. */
export function createNames(limit = REMEMBERED, addresses = ADDRESSES): Names {
  const byName = new Map<string, number>();
  const byAddress = new Map<number, string>();
  let last = 0;
  const touch = (name: string, index: number) => {
    byName.delete(name);
    byName.set(name, index);
  };
  const free = () => {
    do last = (last % addresses) + 1;
    while (byAddress.has(last));
    return last;
  };
  return {
    addressOf(name) {
      let index = byName.get(name);
      if (index === undefined) {
        index = free();
        byAddress.set(index, name);
      }
      touch(name, index);
      const [oldest] = byName;
      if (byName.size > limit && oldest !== undefined) {
        byName.delete(oldest[0]);
        byAddress.delete(oldest[1]);
      }
      return `198.${18 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
    },
    nameOf(address) {
      const index = indexOf(address);
      const name = index === undefined ? undefined : byAddress.get(index);
      if (name !== undefined && index !== undefined) touch(name, index);
      return name;
    },
  };
}

/** Whether the address belongs to the synthetic range. */
export function isSynthetic(address: string): boolean {
  return /^198\.1[89]\./.test(address);
}

/** Whether the text may be a host of `CONNECT`; the gateway checks more strictly and decides. */
export function isName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(text);
}

function indexOf(address: string): number | undefined {
  if (!isSynthetic(address)) return undefined;
  const [, second = 0, third = 0, fourth = 0] = address.split('.').map(Number);
  return ((second - 18) << 16) | (third << 8) | fourth;
}
