/** Listings of folders that the guest reads without having opened them. Each offset says which listing it continues. */
import type { Listing, ListingBudget } from './listing.ts';
import type { Node } from './node.ts';

/** Most at a time; the oldest is given up for a new one. */
const MAX = 64;

/** More entries than one listing can have: see `ServerLimits.listingBytes` */
const SPAN = 2 ** 24;

/** So that every offset is a safe integer */
const ID_MAX = 2 ** 28;

interface Kept {
  node: Node;
  listing: Listing;
}

export class KeptListings {
  readonly #budget: ListingBudget;
  /** The oldest first */
  readonly #byId = new Map<number, Kept>();
  #lastId = 0;

  constructor(budget: ListingBudget) {
    this.#budget = budget;
  }

  /** @returns the listing of this node that `offset` continues, unless it was given up */
  find(node: Node, offset: number): Listing | undefined {
    const kept = this.#byId.get(idOf(offset));
    return kept?.node === node ? kept.listing : undefined;
  }

  /** @param read throws ENOMEM when all listings take too much memory */
  add(node: Node, read: () => Listing): { id: number; listing: Listing } {
    if (this.#byId.size >= MAX) this.#dropOldest();
    const listing = this.#reading(read);
    this.#lastId = (this.#lastId % ID_MAX) + 1;
    this.#byId.set(this.#lastId, { node, listing });
    return { id: this.#lastId, listing };
  }

  /** The guest has read the listing to its end. */
  drop(offset: number): void {
    const id = idOf(offset);
    this.#budget.free(this.#byId.get(id)?.listing);
    this.#byId.delete(id);
  }

  #reading(read: () => Listing): Listing {
    for (;;) {
      try {
        return read();
      } catch (error) {
        if (this.#byId.size === 0) throw error;
        this.#dropOldest();
      }
    }
  }

  #dropOldest(): void {
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined) this.drop(offsetOf(oldest, 0));
  }
}

export function idOf(offset: number): number {
  return Math.floor(offset / SPAN);
}

export function indexOf(offset: number): number {
  return offset % SPAN;
}

export function offsetOf(id: number, index: number): number {
  return id * SPAN + index;
}
