/** How a file system of the host compares names. */

export interface FoldTraits {
  /** `A` and `a` are one name: APFS, HFS+, NTFS, FAT, ext4 with casefold */
  ignoresCase?: boolean;
  /** Composed and decomposed characters are one name: APFS, HFS+ */
  normalizes?: boolean;
  /** Characters that show nothing do not count: HFS+ */
  dropsIgnorable?: boolean;
  /** Dots and spaces at the end, streams (`x::$DATA`) and short names (`GIT~1`) do not count: NTFS, FAT, SMB shares */
  windows?: boolean;
}

/** Those that HFS+ leaves out of a comparison */
const IGNORABLE = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu;
/** A stream of a file, or the attribute that a folder's index is */
const STREAM = /:.*$/su;
const SHORT_NAMES = new Map([['git~1', '.git']]);

/**
 * A function that gives one text for all names that the file system takes for the same file. On a case-sensitive host every name is its own.
 * The server measures the traits in a folder of its own; when it cannot, all of them are the safe answer.
 */
export function foldOf(traits: FoldTraits): (name: string) => string {
  return (name) => {
    let folded = name;
    if (traits.dropsIgnorable) folded = folded.replace(IGNORABLE, '');
    if (traits.normalizes || traits.ignoresCase) folded = folded.normalize('NFC');
    // Twice: some characters have several lower-case forms, one upper-case form.
    if (traits.ignoresCase) folded = folded.toUpperCase().toLowerCase().normalize('NFC');
    return traits.windows ? windowsName(folded) : folded;
  };
}

function windowsName(name: string): string {
  const plain = withoutTail(name.replace(STREAM, ''));
  // A name of dots only is a name of its own here.
  return SHORT_NAMES.get(plain.toLowerCase()) ?? (plain === '' ? name : plain);
}

/** By hand: a pattern for the end of a text takes quadratic time on a long run of dots. */
function withoutTail(name: string): string {
  let end = name.length;
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end -= 1;
  return name.slice(0, end);
}
