/** Writes git's configuration format. Pure. */

/** `section.name` or `section.subsection.name`, and any value */
export type GitEntry = [key: string, value: string];

const ESCAPES: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\t': '\\t', '\b': '\\b' };

/** Values are data: quoted, so that none can end its line or begin a section. A value with a NUL, which git has no form for, is left out. */
export function gitConfigText(entries: readonly GitEntry[]): string {
  return entries
    .filter(([, value]) => !value.includes('\0'))
    .map(([key, value]) => {
      const [section = '', ...names] = key.split('.');
      const name = names.pop() ?? '';
      const below = names.length === 0 ? '' : ` "${names.join('.')}"`;
      return `[${section}${below}]\n\t${name} = "${value.replace(/[\\"\n\t\b]/g, (char) => ESCAPES[char] ?? char)}"\n`;
    })
    .join('');
}
