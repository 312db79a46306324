/** Records as builds before the workspace server wrote them. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeMountStubs } from '../../../lib/workspace/mount-stubs.ts';

let base = '';
let workspace = '';
let record = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sbx-stubs-'));
  workspace = join(base, 'ws');
  record = join(base, 'mount-stubs.json');
  mkdirSync(workspace);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function identityOf(path: string): string {
  const { dev, ino, birthtimeNs } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Makes a folder, or a file with this content, and its entry in the record. */
function made(name: string, content?: string) {
  const path = join(workspace, name);
  const plannedAt = Date.now();
  if (content === undefined) mkdirSync(path);
  else writeFileSync(path, content);
  return {
    path,
    kind: content === undefined ? 'dir' : 'file',
    content: content ?? '',
    plannedAt,
    identity: identityOf(path),
  };
}

test('stubs are removed, and then the record; twice without harm', () => {
  writeFileSync(record, JSON.stringify([made('a'), made('a/b', '.\n')]));
  for (let time = 0; time < 2; time += 1) removeMountStubs(record);
  expect(readdirSync(workspace)).toEqual([]);
  expect(readdirSync(base)).toEqual(['ws']);
});

test('what has content, or is another file now, stays', () => {
  const stubs = [made('used'), made('.env', ''), made('replaced', ''), made('.vscode')];
  mkdirSync(join(workspace, 'used/inside'));
  writeFileSync(join(workspace, '.env'), 'A=1');
  rmSync(join(workspace, 'replaced'));
  writeFileSync(join(workspace, 'other'), '');
  writeFileSync(join(workspace, 'replaced'), '');
  writeFileSync(record, JSON.stringify(stubs));
  removeMountStubs(record);
  expect(readdirSync(workspace).sort()).toEqual(['.env', 'other', 'replaced', 'used']);
});

test('an entry of a killed maker: only what is younger than the intent is removed', () => {
  const { identity: _, ...stub } = made('a');
  writeFileSync(record, JSON.stringify([{ ...stub, plannedAt: Date.now() + 10_000 }]));
  removeMountStubs(record);
  expect(readdirSync(workspace)).toEqual(['a']);
  writeFileSync(record, JSON.stringify([stub]));
  removeMountStubs(record);
  expect(readdirSync(workspace)).toEqual([]);
});

test('nothing is removed behind a link', () => {
  const stubs = [made('a'), made('a/b', '')];
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere/b'), '');
  rmSync(join(workspace, 'a'), { recursive: true });
  symlinkSync('../elsewhere', join(workspace, 'a'));
  writeFileSync(record, JSON.stringify(stubs));
  removeMountStubs(record);
  expect(readdirSync(join(base, 'elsewhere'))).toEqual(['b']);
});

test('a damaged record names nothing', () => {
  mkdirSync(join(workspace, 'a'));
  writeFileSync(record, '{"version":');
  removeMountStubs(record);
  expect(readdirSync(workspace)).toEqual(['a']);
});
