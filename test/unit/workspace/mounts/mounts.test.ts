import { expect, test } from 'vitest';
import { type MountFacts, planMounts } from '../../../../lib/workspace/mounts/mounts.ts';

/** `target` or `target=source`, with ! when read-only */
function plan(facts: Partial<MountFacts>): string[] {
  const mounts = planMounts({ root: '/w', target: '/export/ws', readonly: [], hidden: [], ...facts });
  return mounts.map(({ source, target, readonly }) => {
    const shown = source === target.replace('/export/ws', '/w') ? '' : `=${source}`;
    return `${target.replace('/export/ws', '') || '.'}${shown}${readonly ? ' !' : ''}`;
  });
}

test('the folder itself comes first, writable', () => {
  expect(plan({})).toEqual(['.']);
});

test('each ancestor of a protected path is pinned, parents before children', () => {
  expect(plan({ readonly: ['a/b/c', '.git/config', '.git/hooks'] })).toEqual([
    '.',
    '/.git',
    '/a',
    '/.git/config !',
    '/.git/hooks !',
    '/a/b',
    '/a/b/c !',
  ]);
});

test('what hides is nothing, or an empty folder', () => {
  const hidden = [
    { path: 'a/.env', kind: 'file' as const },
    { path: 'secrets', kind: 'dir' as const },
  ];
  expect(plan({ hidden })).toEqual(['.', '/a', '/secrets=empty-dir !', '/a/.env=/dev/null !']);
});

test('hidden wins over read-only, also below it', () => {
  const hidden = [{ path: 'docs', kind: 'dir' as const }];
  expect(plan({ readonly: ['docs', 'docs/a', 'docs/b/c'], hidden })).toEqual(['.', '/docs=empty-dir !']);
});

test('below a read-only folder nothing is opened again', () => {
  const hidden = [{ path: 'docs/a/key', kind: 'file' as const }];
  expect(plan({ readonly: ['docs', 'docs/a'], hidden })).toEqual(['.', '/docs !', '/docs/a/key=/dev/null !']);
});

test('below a hidden folder nothing is mounted, and nothing twice', () => {
  const hidden = ['s/a', 's', 's'].map((path) => ({ path, kind: 'dir' as const }));
  expect(plan({ hidden, readonly: ['x', 'x'] })).toEqual(['.', '/s=empty-dir !', '/x !']);
});

test('names that only begin alike are apart', () => {
  expect(plan({ readonly: ['doc', 'docs/a'] })).toEqual(['.', '/doc !', '/docs', '/docs/a !']);
});

test('too many mounts are an error that says so', () => {
  const hidden = Array.from({ length: 2_001 }, (_, index) => ({ path: `f${index}`, kind: 'file' as const }));
  expect(() => plan({ hidden })).toThrow(
    expect.objectContaining({ code: 'workspace', hint: expect.stringContaining('folders') }),
  );
});
