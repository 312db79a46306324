/** What editing a text begins with, and what it comes to. */
import type { Scanner } from './scanner.ts';

/** A text with what was found in it */
export interface Scanned {
  text: string;
  scanner: Scanner;
  /** How its lines end */
  eol: string;
}

export interface Insertion {
  at: number;
  text: string;
}
