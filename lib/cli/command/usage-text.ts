/** Turns the errors of the command line parser into sbx's own, so that all errors have one form. */
import {
  AliasNotFoundError,
  type ApplicationText,
  ArgumentParseError,
  EnumValidationError,
  FlagNotFoundError,
  InvalidNegatedFlagSyntaxError,
  text_en,
  UnexpectedFlagError,
  UnexpectedPositionalError,
  UnsatisfiedFlagError,
  UnsatisfiedPositionalError,
} from '@stricli/core';
import { nearest } from '../../config/load/did-you-mean.ts';
import { SbxError } from '../../errors.ts';

/** The parser requests a text to print; an exception is thrown instead, which its `run` passes on. */
export const usageText: ApplicationText = {
  ...text_en,
  noCommandRegisteredForInput: ({ input, corrections }) => {
    const like = corrections.filter((word) => nearest(input, [kebab(word)]) !== undefined);
    const other = like.length === 0 || Object.hasOwn(MEANT, input) ? nearest(input, Object.keys(MEANT)) : undefined;
    if (other !== undefined)
      throw new SbxError('usage', `unknown command: ${input}`, { hint: `did you mean ${MEANT[other]}?` });
    if (input.startsWith('-')) throw misplaced(input);
    throw usage(`unknown command: ${input}`, like);
  },
  exceptionWhileParsingArguments: (error) => {
    throw error instanceof SbxError ? error : wrongArgument(error);
  },
  exceptionWhileLoadingCommandFunction: (error) => {
    throw error;
  },
  exceptionWhileRunningCommand: (error) => {
    throw error;
  },
};

/** What other tools call it, and what sbx does */
const MEANT: Readonly<Record<string, string>> = {
  up: 'sbx apply',
  create: 'sbx apply, after sbx init',
  build: 'sbx apply',
  update: 'sbx apply',
  new: 'sbx init',
  down: 'sbx stop, which keeps the disk, or sbx rm',
  ps: 'sbx ls',
  list: 'sbx ls',
  delete: 'sbx rm',
  remove: 'sbx rm',
  destroy: 'sbx rm',
  kill: 'sbx stop',
  show: 'sbx status or sbx inspect',
  info: 'sbx status or sbx inspect',
  describe: 'sbx inspect',
  log: 'sbx logs or sbx net log',
  ssh: 'sbx shell',
  enter: 'sbx shell',
  attach: 'sbx run',
  copy: 'sbx cp',
  config: 'sbx validate',
  check: 'sbx validate or sbx net check',
  prune: 'sbx gc',
  clean: 'sbx gc',
  '-V': 'sbx --version',
  '-version': 'sbx --version',
  '-help': 'sbx --help',
};

function misplaced(flag: string): SbxError {
  return new SbxError('usage', `unknown option before the command: ${flag}`, {
    why: 'options follow the command',
    hint: `write for example: sbx ls ${flag}; \`sbx --help\` lists the commands`,
  });
}

/** Adds a hint with the command, which the parser's error does not know. */
export function withHelp(error: SbxError, words: readonly string[]): SbxError {
  if (error.hint !== undefined) return error;
  return new SbxError(error.code, error.message, {
    ...(error.why === undefined ? {} : { why: error.why }),
    hint:
      words.length === 0
        ? '`sbx --help` lists the commands'
        : `\`${['sbx', ...words].join(' ')} --help\` shows its flags and arguments`,
  });
}

function wrongArgument(error: unknown): SbxError {
  if (error instanceof FlagNotFoundError)
    return usage(
      `unknown flag: --${error.input}`,
      error.corrections.map((name) => `--${name}`),
    );
  if (error instanceof AliasNotFoundError) return usage(`unknown flag: -${error.input}`);
  if (error instanceof UnsatisfiedFlagError) return usage(`--${error.externalFlagName} needs a value`);
  if (error instanceof UnexpectedFlagError) return usage(`--${error.externalFlagName} is set twice`);
  if (error instanceof InvalidNegatedFlagSyntaxError) return usage(`--${error.externalFlagName} takes no value`);
  if (error instanceof UnsatisfiedPositionalError) return usage(`<${error.placeholder}> is missing`);
  if (error instanceof UnexpectedPositionalError)
    return usage(`unexpected argument: ${error.input}`, [], `expected arguments: ${error.expectedCount || 'none'}`);
  if (error instanceof ArgumentParseError || error instanceof EnumValidationError) return wrongValue(error);
  return usage(error instanceof Error ? error.message : String(error));
}

function wrongValue(error: ArgumentParseError | EnumValidationError): SbxError {
  const why =
    error instanceof ArgumentParseError && error.exception instanceof Error ? error.exception.message : undefined;
  const name = error instanceof ArgumentParseError ? error.externalFlagNameOrPlaceholder : error.externalFlagName;
  return usage(`invalid --${name}: ${error.input}`, [], why);
}

function usage(message: string, corrections: readonly string[] = [], why?: string): SbxError {
  const like = corrections.map(kebab).join(' or ');
  return new SbxError('usage', message, {
    ...(why === undefined ? {} : { why }),
    ...(like === '' ? {} : { hint: `did you mean ${like}?` }),
  });
}

/** The parser names flags as in the code, and puts routes in quotes. */
function kebab(word: string): string {
  return word.replaceAll('`', '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
