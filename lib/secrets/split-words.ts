/** Splits a command line into words by a subset of shell quoting. Pure. */
import { SbxError } from '../errors.ts';

/**
 * Words are separated by spaces and tabs. Single quotes keep everything literal; elsewhere a backslash makes the next character
 * literal. Nothing is expanded: characters with any other meaning in a shell are rejected.
 * @throws SbxError `usage`
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? '';
    if (quote !== '' && char === quote) quote = '';
    else if (quote === "'") word = `${word ?? ''}${char}`;
    else if (char === '\\') {
      at += 1;
      if (at >= line.length) throw unclear('a backslash at the end');
      word = `${word ?? ''}${line[at]}`;
    } else if (/[$`]/.test(char) || (quote === '' && /[|&;<>()*?[\]{}~#\n\r]/.test(char)))
      throw unclear(`the character ${JSON.stringify(char)}`);
    else if (quote !== '') word = `${word ?? ''}${char}`;
    else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ''}${char}`;
  }
  if (quote !== '') throw unclear(`a quote ${quote} that is not closed`);
  if (word !== undefined) words.push(word);
  if (words.length === 0 || words[0] === '') throw unclear('no program');
  return words;
}

function unclear(what: string): SbxError {
  return new SbxError('usage', `invalid command: ${what}`, {
    why: 'it runs without a shell: words are separated by spaces and may be quoted; nothing is expanded',
    hint: 'quote it with single quotes, or put the command line into a script and use that',
  });
}
