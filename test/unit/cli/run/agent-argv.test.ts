import { describe, expect, test } from 'vitest';
import { headlessArgv } from '../../../../lib/cli/run/agent-argv.ts';

const agent = (headless: string[], command: string[] = []) => ({
  name: 'made-up',
  command,
  headless,
  mcpFile: undefined,
  mcpFormat: undefined,
});

describe('the headless command', () => {
  test.each([
    ['a plain prompt', ['a', '-p', '{prompt}'], 'fix it', ['a', '-p', 'fix it']],
    ['quotes, dollars and line feeds', ['a', '{prompt}'], '$& "x" \'y\'\n$1', ['a', '$& "x" \'y\'\n$1']],
    ['a part of a word', ['a', '--prompt={prompt}'], '-x', ['a', '--prompt=-x']],
    ['twice', ['a', '{prompt}', '{prompt}'], 'x', ['a', 'x', 'x']],
    ['the place itself', ['a', '{prompt}'], '{prompt}', ['a', '{prompt}']],
    ['what looks like an option', ['a', '-p', '{prompt}'], '--mcp-config=evil', ['a', '-p', ' --mcp-config=evil']],
    ['the same behind --', ['a', '-p', '--', '{prompt}'], '--mcp-config=evil', ['a', '-p', '--', '--mcp-config=evil']],
    ['a -- that is part of the text', ['a', '{prompt}', '--'], '-x', ['a', ' -x', '--']],
  ])('%s', (_name, headless, prompt, argv) => {
    expect(headlessArgv(agent(headless), prompt)).toEqual({ argv, input: undefined });
  });

  test('without a place the prompt is its input, however long', () => {
    const prompt = `-${'x'.repeat(1_000_000)}`;
    expect(headlessArgv(agent(['a', 'exec']), prompt)).toEqual({ argv: ['a', 'exec'], input: prompt });
  });

  test('no command, an empty prompt, one that no command line takes', () => {
    expect(() => headlessArgv(agent([]), 'x')).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    expect(() => headlessArgv(agent(['a', '{prompt}']), ' \n')).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => headlessArgv(agent(['a', '{prompt}']), 'a\0b')).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => headlessArgv(agent(['a', '{prompt}']), 'ü'.repeat(65_536))).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining('file') }),
    );
  });
});
