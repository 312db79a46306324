/** The error of an archive that `pack` cannot have made. */
import { Failure } from '../protocol/failure.ts';

export function refused(name: string, why: string): Failure {
  return new Failure('refused-policy', `the copy was refused at ${shown(name)}`, {
    why,
    hint: 'files written before it stay; check the contents of that folder in the sandbox',
  });
}

/** Escapes a hostile name for a terminal. */
export function shown(name: string): string {
  return JSON.stringify(name)
    .slice(0, 200)
    .replaceAll(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, '?');
}
