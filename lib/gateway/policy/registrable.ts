/** Checks against the public suffix list whether all names below a name have one owner. Pure. */
import { getDomain } from 'tldts';

/** False for `com`, `co.uk`, `github.io`, where anyone can register a name. */
export function isOwnable(name: string): boolean {
  return name.includes('.') && getDomain(name, { allowPrivateDomains: true }) !== null;
}
