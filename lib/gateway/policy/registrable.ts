/** Whether all names below a name belong to one owner, by the public suffix list. Pure. */
import { getDomain } from 'tldts';

/** False for `com`, `co.uk`, `github.io`: there, names are given to anybody. */
export function isOwnable(name: string): boolean {
  return name.includes('.') && getDomain(name, { allowPrivateDomains: true }) !== null;
}
