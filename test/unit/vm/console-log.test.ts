import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundConsole } from '../../../lib/vm/console-log.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-console-'));
  file = join(dir, 'console.log');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Floods the file as QEMU does: opened once, for appending. */
function flood(look: () => void): number {
  const fd = openSync(file, 'a');
  try {
    for (let round = 0; round < 50; round += 1) {
      writeSync(fd, `${'x'.repeat(999)}\n`);
      look();
    }
    writeSync(fd, 'the last line\n');
  } finally {
    closeSync(fd);
  }
  return statSync(file).size;
}

describe('boundConsole', () => {
  it('bounds the file of a writer that continues, without a hole, with its newest lines', () => {
    expect(flood(() => boundConsole(file, 10_000, 2_000))).toBeLessThan(11_100);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('\0');
    expect(text.endsWith('the last line\n')).toBe(true);
  });

  it('switched off, the flood fills the disk', () => {
    expect(flood(() => {})).toBeGreaterThan(50_000);
  });

  it('leaves a short one, a missing one and a link alone', () => {
    appendFileSync(file, 'short');
    symlinkSync(file, join(dir, 'link'));
    expect(boundConsole(file, 10, 5)).toBe(false);
    expect(boundConsole(join(dir, 'missing'), 1, 1)).toBe(false);
    expect(boundConsole(join(dir, 'link'), 1, 1)).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('short');
  });
});
