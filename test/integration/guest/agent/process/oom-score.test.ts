import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { spareSelf, unspared } from '../../../../../lib/guest/agent/process/oom-score.ts';
import { startProcess } from '../../../../../lib/guest/agent/process/running.ts';

const FILE = '/proc/self/oom_score_adj';
const own = () => readFileSync(FILE, 'utf8').trim();
const before = own();
/** Every user may raise it and take that back. */
const spared = String(Math.min(1000, Number(before) + 100));

afterEach(() => spareSelf(before));

async function scoreOf(tty: Parameters<typeof startProcess>[1]['tty']): Promise<string> {
  const command = { file: '/bin/cat', args: [FILE], cwd: '/', env: {}, uid: undefined, gid: undefined };
  const { outputs, exit, release } = startProcess(command, { ...(tty === undefined ? {} : { tty }), stdin: false });
  let text = '';
  outputs[0]?.readable.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  await exit;
  while (!text.includes('\n')) await new Promise(setImmediate);
  release();
  return text.trim();
}

describe.each([
  ['pipes', undefined],
  ['a terminal', { cols: 80, rows: 24, term: 'xterm' }],
] as const)('a command on %s', (_, tty) => {
  test('has the score that the agent had before, and the agent keeps its own', async () => {
    spareSelf(spared);
    expect(await scoreOf(tty)).toBe(before);
    expect(own()).toBe(spared);
  });
});

test('the agent is spared, also after a start that failed', () => {
  spareSelf(spared);
  const failed = () =>
    unspared(() => {
      throw new Error('no such program');
    });
  expect(failed).toThrow('no such program');
  expect(own()).toBe(spared);
});
