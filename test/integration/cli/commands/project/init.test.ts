/** `sbx init` says of each file that it knows what it took from it, or why it took nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-init-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const init = () => execFileSync(resolve('bin/sbx'), ['init'], { cwd: dir, encoding: 'utf8' }).split('\n').slice(1);

test('a file that gave something, files that gave nothing, and a name that would write to the terminal', () => {
  const hostile = 'Dockerfile.\u001b[2Jx';
  for (const file of ['package.json', 'compose.yaml', '.nvmrc', hostile, 'notes.txt'])
    writeFileSync(join(dir, file), '');
  const lines = init();
  expect(lines).toContain('used: package.json: packages and presets for JavaScript (npm)');
  expect(lines).toContain('not used: compose.yaml: its services run only with [docker] enabled = true');
  expect(lines.filter((line) => line.startsWith('not used: .nvmrc: the versions are those of the image'))).toHaveLength(
    1,
  );
  expect(lines.filter((line) => line.startsWith('not used: Dockerfile.'))).toHaveLength(1);
  expect(lines.join('\n')).not.toContain('\u001b');
  expect(lines.join('\n')).not.toContain('notes.txt');
  expect(readFileSync(join(dir, 'sandbox.toml'), 'utf8')).toContain('preset:npm');
});

test('a folder without such files has no line of them', () => {
  expect(init().filter((line) => line.includes('used:'))).toEqual([]);
});
