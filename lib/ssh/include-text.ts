/** The line in the person's own ssh configuration that reads the host entries. Pure; texts are Latin-1, so that each byte is kept. */

/** A line of sbx, in whatever state folder; removed where the line is put in again */
const NOTE = '# Host entries of sbx; `sbx ssh-config --uninstall` removes these two lines';

/**
 * At the beginning: further down it would count for the hosts of the block above only, and options before it would win. `undefined`: it is there.
 */
export function withInclude(text: string, line: string): string | undefined {
  if (hasInclude(text, line)) return undefined;
  return `${NOTE}\n${line}\n${withoutInclude(text, line) ?? text}`;
}

/** `undefined`: there is none. */
export function withoutInclude(text: string, line: string): string | undefined {
  const lines = text.split('\n');
  const kept = lines.filter((one, at) => !isLine(one, line) && !(isLine(one, NOTE) && isLine(lines[at + 1], line)));
  return kept.length === lines.length ? undefined : kept.join('\n');
}

/** Before everything else: ssh takes the first value of an option. */
function hasInclude(text: string, line: string): boolean {
  for (const one of text.split('\n')) {
    if (isLine(one, line)) return true;
    if (!/^\s*(#|$)/.test(one)) return false;
  }
  return false;
}

function isLine(one: string | undefined, line: string): boolean {
  return one?.trim() === line;
}
