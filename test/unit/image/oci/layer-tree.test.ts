import { describe, expect, test } from 'vitest';
import {
  BadLayer,
  emptyTree,
  type Folder,
  fileAt,
  type Node,
  partsOf,
  place,
} from '../../../../lib/image/oci/layer-tree.ts';

const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
const file = (layer = 0): Node => ({ kind: 'file', layer, attributes, size: 1, content: { layer, entry: 0 } });
const folder = (layer = 0): Node => ({ kind: 'folder', layer, attributes, children: new Map() });
const link = (target: string, layer = 0): Node => ({ kind: 'link', layer, attributes, target });

/** Every name that is there, with its kind */
function names(at: Folder, path = ''): string[] {
  return [...at.children].flatMap(([name, node]) => [
    `${path}${name}${node.kind === 'folder' ? '/' : node.kind === 'link' ? '@' : ''}`,
    ...(node.kind === 'folder' ? names(node, `${path}${name}/`) : []),
  ]);
}

function tree(...entries: [string, Node][]): Folder {
  const root = emptyTree();
  for (const [name, node] of entries) place(root, name, node);
  return root;
}

describe('names', () => {
  test.each(['../x', 'a/../../x', '/..', 'a/..', 'x\0y', `${'n'.repeat(256)}`, 'a/'.repeat(3000)])(
    '%j is refused',
    (name) => {
      expect(() => partsOf(name)).toThrow(BadLayer);
    },
  );
  test.each([
    ['./a/./b//c/', ['a', 'b', 'c']],
    ['/etc/passwd', ['etc', 'passwd']],
    ['..a/b..', ['..a', 'b..']],
  ])('%j', (name, parts) => expect(partsOf(name)).toEqual(parts));
});

describe('layers', () => {
  test('a whiteout removes what lower layers have, not what its own layer has', () => {
    const lower = (): [string, Node][] => [
      ['a', folder()],
      ['a/one', file()],
      ['a/two', file()],
      ['b', folder()],
      ['b/x', file()],
    ];
    expect(names(tree(...lower(), ['a/.wh.one', file(1)], ['.wh.b', file(1)]))).toEqual(['a/', 'a/two']);
    expect(names(tree(...lower(), ['a/new', file(1)], ['a/.wh..wh..opq', file(1)], ['.wh.b', file(1)]))).toEqual([
      'a/',
      'a/new',
    ]);
    expect(names(tree(...lower(), ['b', folder(1)], ['b/y', file(1)], ['.wh.b', file(1)]))).toContain('b/y');
    expect(names(tree(...lower(), ['.wh..wh.plnk', file(1)], ['.wh.none', file(1)]))).toHaveLength(5);
  });

  test.each(['.wh.', '.wh...', '.wh..'])('the whiteout %j is refused', (name) => {
    expect(() => tree(['a', file()], [name, file(1)])).toThrow(BadLayer);
  });

  test('a file takes the place of a folder or a link, a folder of a folder keeps its files', () => {
    expect(names(tree(['a', folder()], ['a/x', file()], ['a', file(1)]))).toEqual(['a']);
    expect(names(tree(['a', link('/etc')], ['a', file(1)]))).toEqual(['a']);
    expect(names(tree(['a', folder()], ['a/x', file()], ['a', folder(1)]))).toEqual(['a/', 'a/x']);
  });
});

describe('links', () => {
  test('on the way to an entry are followed within the image', () => {
    expect(names(tree(['usr/bin', folder()], ['bin', link('usr/bin')], ['bin/sh', file()]))).toContain('usr/bin/sh');
    expect(names(tree(['x', link('/../../..')], ['x/etc/file', file()]))).toEqual(['x@', 'etc/', 'etc/file']);
    expect(names(tree(['x', link('/root/.ssh')], ['x/key', file()]))).toContain('root/.ssh/key');
    expect(names(tree(['a/b/c', folder()], ['l', link('a/b/c/../../..')], ['l/top', file()]))).toContain('top');
  });

  test('in a loop are refused', () => {
    expect(() => tree(['a', link('b')], ['b', link('a')], ['a/x', file()])).toThrow('loop');
    expect(() => tree(['a', link('a/a')], ['a/x', file()])).toThrow(BadLayer);
  });

  test('hard ones name files of the image only', () => {
    const root = tree(['a', file()], ['d', folder()], ['l', link('/etc/passwd')]);
    expect(fileAt(root, '/a')).toMatchObject({ kind: 'file' });
    expect(fileAt(root, 'l')).toMatchObject({ kind: 'link' });
    for (const name of ['d', 'none', '../a', '/', 'l/x']) expect(() => fileAt(root, name), name).toThrow(BadLayer);
  });

  test('a file on the way is refused', () => {
    expect(() => tree(['a', file()], ['a/b', file(1)])).toThrow('a file on its way');
  });
});
