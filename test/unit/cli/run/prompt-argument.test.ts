import { describe, expect, test } from 'vitest';
import { setPromptAside } from '../../../../lib/cli/run/prompt-argument.ts';

describe('the prompt of a command line', () => {
  test.each([
    [['run', '--headless', 'fix it'], 'fix it', ['run', '--headless', 'prompt']],
    [
      ['run', 'review', '--headless', '--json', '--json'],
      '--json',
      ['run', 'review', '--headless', 'prompt', '--json'],
    ],
    [['run', '--headless', '--accept-widening'], '--accept-widening', ['run', '--headless', 'prompt']],
    [['run', '--headless', '--'], '--', ['run', '--headless', 'prompt']],
    [['run', '--headless', '-d', 'name'], '-d', ['run', '--headless', 'prompt', 'name']],
    [['run', '--headless=-x\nsecond line', 'name'], '-x\nsecond line', ['run', '--headless', 'prompt', 'name']],
    [['run', '--headless='], '', ['run', '--headless', 'prompt']],
    [['run', '--headless', '--headless'], '--headless', ['run', '--headless', 'prompt']],
  ])('%j', (argv, prompt, rest) => {
    expect(setPromptAside(argv)).toEqual({ argv: rest, prompt });
  });

  test.each([
    [['run', '--', '--headless', 'x']],
    [['exec', '--headless', 'x']],
    [['run', '--headless']],
    [['run']],
    [[]],
  ])('%j has none, and is left alone', (argv) => {
    expect(setPromptAside(argv)).toEqual({ argv, prompt: undefined });
  });
});
