/** A host that has no watches left: the kernel itself refuses them, in a user namespace with a limit of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type OwnProgram, ownProgram } from '../../own-process.ts';

interface Seen {
  folder: string;
  entrySeconds: number;
  attributeSeconds: number;
  before: { content: string; keeps: boolean };
  size: number;
  after: { content: string; keeps: boolean };
}

interface Found {
  states: string[];
  watched: number;
  seen: Seen[];
}

const EDITED = 'a longer content of the host';

let program: OwnProgram;
let dir: string;

beforeAll(async () => {
  program = await ownProgram(join(import.meta.dirname, 'scarce-watches.ts'));
});
afterAll(() => program[Symbol.dispose]());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-scarce-'));
  for (const folder of ['a', 'b', 'c']) {
    mkdirSync(join(dir, folder));
    writeFileSync(join(dir, folder, 'file'), 'before');
  }
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function servedWith(watches: number): Found {
  const script = `echo "$1" > /proc/sys/user/max_inotify_watches && shift && exec "$@"`;
  const args = ['-Ur', 'sh', '-ec', script, 'sh', String(watches), ...program.argv, dir];
  const { status, stdout, stderr } = spawnSync('unshare', args, { env: program.env, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Found;
}

test('without a single watch nothing is cached, it is said, and an edit of the host is read at once', () => {
  const { states, watched, seen } = servedWith(0);
  expect({ states, watched }).toEqual({ states: ['none'], watched: 0 });
  for (const one of seen)
    expect(one).toMatchObject({
      entrySeconds: 0,
      attributeSeconds: 0,
      before: { content: 'before', keeps: false },
      size: EDITED.length,
      after: { content: EDITED, keeps: false },
    });
});

test('with fewer watches than folders the rest of them is not cached, and it is said', () => {
  const { states, watched, seen } = servedWith(2);
  expect(states.at(-1)).toBe('some');
  expect(watched).toBe(2);
  expect(seen.map(({ folder, entrySeconds }) => ({ folder, entrySeconds }))).toEqual([
    { folder: 'a', entrySeconds: 3600 },
    { folder: 'b', entrySeconds: 0 },
    { folder: 'c', entrySeconds: 0 },
  ]);
  for (const { folder, before, after } of seen) {
    expect([before.content, after.content]).toEqual(['before', EDITED]);
    // The twin: what is watched is cached.
    expect(before.keeps).toBe(folder === 'a');
  }
});
