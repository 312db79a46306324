/**
 * Sets the prompt of `sbx run --headless PROMPT` aside before flags are parsed: it is a literal, also if it looks like a flag, so that a
 * script's `--headless "$TEXT"` cannot become another command. Pure.
 */

const FLAG = '--headless';
const PLACEHOLDER = 'prompt';

export interface SetAside {
  /** The command line with a word in place of the prompt */
  argv: string[];
  /** Undefined: no flag, or no prompt after it */
  prompt: string | undefined;
}

/** `argv` begins with the verb. */
export function setPromptAside(argv: readonly string[]): SetAside {
  const end = argv.indexOf('--');
  const at = argv.findIndex((word) => word === FLAG || word.startsWith(`${FLAG}=`));
  if (argv[0] !== 'run' || at < 0 || (end >= 0 && end < at)) return { argv: [...argv], prompt: undefined };
  const word = argv[at] ?? '';
  const joined = word.length > FLAG.length;
  const prompt = joined ? word.slice(FLAG.length + 1) : argv[at + 1];
  if (prompt === undefined) return { argv: [...argv], prompt };
  return { argv: [...argv.slice(0, at), FLAG, PLACEHOLDER, ...argv.slice(at + (joined ? 1 : 2))], prompt };
}
