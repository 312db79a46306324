/** What progress writes on terminals of all kinds: real pseudo terminals, as util-linux' `script` makes them. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Colour of the spinner */
const CYAN = '\x1b[36m';

/** Work that says what it does every 10 ms */
const PROGRAM = `
import { createView } from './lib/cli/view/view.ts';
const view = await createView(false, process);
process.stdout.write('columns ' + process.stderr.columns + '\\n');
const progress = view.progress('working');
for (let round = 0; round < 100; round += 1) {
  progress.update('step ' + (round - (round % 25)));
  await new Promise((resolve) => setTimeout(resolve, 10));
}
progress.note('a note');
progress.done();
`;

let dir: string;
let program: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-tty-'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  program = join(dir, 'program.js');
  await build({
    stdin: { contents: PROGRAM, resolveDir: '.' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** On a terminal of 0 columns, as `script` makes one without a terminal of its own. */
function onTerminal(columns: number, env: NodeJS.ProcessEnv): Promise<string> {
  const { CI: _ci, NO_COLOR: _colour, ...own } = process.env;
  const line = `${columns === 0 ? '' : `stty cols ${columns} rows 24; `}${process.execPath} ${program}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...own, TERM: 'xterm-256color', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString('latin1');
    });
    child.once('close', () => resolve(text));
  });
}

test.each([
  ['of 0 columns', 0, {}],
  ['that is dumb', 80, { TERM: 'dumb' }],
  ['of CI', 80, { CI: 'true' }],
])('a terminal %s gets a line for each step, without an escape', async (_what, columns, env) => {
  const text = await onTerminal(columns, env);
  expect(text.split('\r\n')).toEqual([
    `columns ${columns}`,
    'working',
    'step 0',
    'step 25',
    'step 50',
    'step 75',
    'a note',
    '',
  ]);
});

test('any other terminal gets a spinner; with NO_COLOR one without colours', async () => {
  const coloured = await onTerminal(80, {});
  expect(coloured).toContain(CYAN);
  expect(coloured).toContain('step 75');
  const plain = await onTerminal(80, { NO_COLOR: '1' });
  expect(plain).toContain('\x1b[');
  expect(plain).not.toContain(CYAN);
  expect(Math.max(coloured.length, plain.length)).toBeLessThan(20_000);
});
