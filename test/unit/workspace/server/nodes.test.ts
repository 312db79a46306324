import { describe, expect, it } from 'vitest';
import { type Link, type Node, newNode, ROOT_NODE_ID } from '../../../../lib/workspace/server/tables/node.ts';
import { NodeTable, namesOf, rootNameOf } from '../../../../lib/workspace/server/tables/nodes.ts';

function table(max = 100) {
  const dropped: Node[] = [];
  const nodes = new NodeTable({ max, onUnreachable: (node) => dropped.push(node) });
  const root = { name: '', fd: -1, identity: 'root' };
  const top = nodes.add(newNode({ id: ROOT_NODE_ID, identity: 'root', kind: 'directory', root }));
  const look = (parent: Node, name: string, identity = name, kind: 'file' | 'directory' = 'file') => {
    const node = nodes.attach({ parent, name }, { identity, kind });
    node.lookups++;
    return node;
  };
  return { nodes, dropped, top, look };
}

describe('the node table', () => {
  it('knows one node by each of its names', () => {
    const { nodes, top, look } = table();
    const file = look(top, 'a', 'inode');
    expect(look(top, 'b', 'inode')).toBe(file);
    expect(file.links.map(({ name }) => name)).toEqual(['a', 'b']);
    nodes.detach({ parent: top, name: 'a' });
    nodes.detach({ parent: top, name: 'b' });
    expect([file.links, file.lastLink?.name, nodes.find(file.id)]).toEqual([[], 'b', file]);
  });

  it('gives a name to the file that is there now', () => {
    const { nodes, top, look } = table();
    const old = look(top, 'a', 'old');
    const fresh = look(top, 'a', 'new');
    expect([old.links, nodes.get(fresh.id)]).toEqual([[], fresh]);
  });

  it('does not take a file for the folder that had its inode number', () => {
    const { top, look } = table();
    const folder = look(top, 'a', 'same', 'directory');
    expect(look(top, 'a', 'same', 'file')).not.toBe(folder);
  });

  it('lets a folder have one name only', () => {
    const { top, look } = table();
    const folder = look(top, 'a', 'dir', 'directory');
    look(top, 'b', 'dir', 'directory');
    expect(folder.links.map(({ name }) => name)).toEqual(['b']);
  });

  it('keeps a forgotten folder while a node below it is known, and drops all of it then', () => {
    const { nodes, dropped, top, look } = table();
    const folder = look(top, 'd', 'd', 'directory');
    const file = look(folder, 'f');
    nodes.forget(folder, 1);
    expect(nodes.get(folder.id)).toBe(folder);
    nodes.forget(file, Number.NaN);
    expect(dropped).toEqual([file, folder]);
    expect([nodes.size, top.children?.size]).toEqual([1, 0]);
  });

  it('counts the folders of files without a name, so that a guest cannot make it hold more than its bound', () => {
    const { nodes, top, look } = table();
    const deep = [look(top, 'd0', 'd0', 'directory')];
    for (let level = 1; level < 20; level++)
      deep.push(look(deep.at(-1) as Node, `d${level}`, `d${level}`, 'directory'));
    const parent = deep.at(-1) as Node;
    const file = look(parent, 'f');
    nodes.detach({ parent, name: 'f' });
    for (const folder of [...deep].reverse()) nodes.detach(folder.links[0] as Link);
    for (const folder of deep) nodes.forget(folder, 1);
    expect(nodes.size).toBe(22);
    nodes.forget(file, 1);
    expect(nodes.size).toBe(1);
  });

  it('keeps a forgotten folder while another file takes over its last name', () => {
    const { nodes, top, look } = table();
    const folder = look(top, 'd', 'd', 'directory');
    const old = look(folder, 'f', 'old');
    nodes.forget(folder, 1);
    old.lookups = 0;
    const fresh = look(folder, 'f', 'new');
    expect([nodes.find(folder.id), nodes.find(old.id), nodes.find(fresh.id)]).toEqual([folder, undefined, fresh]);
  });

  it('never drops a root', () => {
    const { nodes, top } = table();
    nodes.forget(top, 2 ** 52);
    expect(nodes.get(ROOT_NODE_ID)).toBe(top);
  });

  it('keeps a root apart from the root that it has a name in', () => {
    const { nodes, top, look } = table();
    const root = { name: 'ws', fd: -1, identity: 'ws' };
    const ws = nodes.add(newNode({ id: nodes.nextId++, identity: 'ws', kind: 'directory', root }));
    expect(look(top, 'shop', 'ws', 'directory')).toBe(ws);
    expect([rootNameOf(ws), rootNameOf(look(ws, 'file')), rootNameOf(look(top, 'other'))]).toEqual(['ws', 'ws', '']);
  });

  it('moves and exchanges names', () => {
    const { nodes, top, look } = table();
    const [a, b, d] = [look(top, 'a'), look(top, 'b'), look(top, 'd', 'd', 'directory')];
    nodes.exchange({ parent: top, name: 'a' }, { parent: top, name: 'b' });
    expect([top.children?.get('a'), top.children?.get('b')]).toEqual([b, a]);
    nodes.move({ parent: top, name: 'a' }, { parent: d, name: 'x' });
    expect(namesOf({ parent: d, name: 'x' }).names).toEqual(['d', 'x']);
    expect([d.children?.get('x'), top.children?.has('a')]).toEqual([b, false]);
    nodes.move({ parent: top, name: 'unknown' }, { parent: d, name: 'x' });
    expect([b.links, b.lookups]).toEqual([[], 1]);
  });

  it('is bounded', () => {
    const { look, top } = table(2);
    look(top, 'a');
    expect(() => look(top, 'b')).toThrow('ENFILE');
    expect(() => look(top, 'c', 'a')).not.toThrow();
  });
});
