/** A secret typed by a person: the built command line on a real terminal. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SBX = fileURLToPath(new URL('../../../../bin/sbx', import.meta.url));

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sbx-hp-'));
  env = { ...process.env, SBX_HOME: home };
});
afterEach(() => {
  execFileSync(SBX, ['daemon', 'stop'], { env });
  rmSync(home, { recursive: true, force: true });
});

/** Types the keys when it is asked. */
function typed(keys: string): Promise<{ code: number; shown: string }> {
  const pty = spawn(SBX, ['secret', 'set', 'key'], { env: env as Record<string, string> });
  let shown = '';
  let asked = false;
  pty.onData((data) => {
    shown += data;
    if (asked || !shown.includes('key')) return;
    asked = true;
    pty.write(keys);
  });
  return new Promise((resolve) => pty.onExit(({ exitCode }) => resolve({ code: exitCode, shown })));
}

const names = () =>
  (
    JSON.parse(execFileSync(SBX, ['secret', 'ls', '--json'], { env, encoding: 'utf8' })) as {
      name: string;
    }[]
  ).map(({ name }) => name);

test('is kept and not shown', async () => {
  const { code, shown } = await typed('marked-value\r');
  expect(code).toBe(0);
  expect(shown).not.toContain('marked');
  expect(names()).toEqual(['key']);
  expect(readFileSync(join(home, 'secrets', 'values.json'), 'utf8')).toContain('marked-value');
});

test('and broken off by Ctrl-C is not kept', async () => {
  const { code } = await typed('marked\x03');
  expect(code).toBe(130);
  expect(names()).toEqual([]);
});
