/** The same as an ordinary user. This file has a process of its own, which gives up root for good. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWatching } from '../mounts/watch-mounts.suite.ts';
import { describeProtection } from './protection.suite.ts';

const UNPRIVILEGED = 65_534;
let home = '';

beforeAll(() => {
  if (process.getuid?.() === 0) {
    process.setgroups?.([]);
    process.setgid?.(UNPRIVILEGED);
    process.setuid?.(UNPRIVILEGED);
  }
  home = mkdtempSync(join(tmpdir(), 'sbx-home-'));
  process.env['HOME'] = home;
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('a workspace in the jail of an ordinary user', () => {
  test('who is one', () => {
    expect(process.getuid?.()).not.toBe(0);
  });
  describeProtection();
  describeWatching();
});
