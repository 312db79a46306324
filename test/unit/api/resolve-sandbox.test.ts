import { describe, expect, it } from 'vitest';
import { chooseSandbox, type Known, projectDirOf } from '../../../lib/api/resolve-sandbox.ts';

const shop: Known = { id: 'a1', name: 'shop', project: 'shop', projectDir: '/work/shop' };
const review: Known = { id: 'b2', name: 'review', project: 'blog', projectDir: '/work/blog' };
const draft: Known = { id: 'c3', name: 'draft', project: 'blog', projectDir: '/work/blog' };
const other: Known = { id: 'd4', name: 'shop', project: 'shop', projectDir: '/elsewhere/shop' };
const all = [shop, review, draft];

describe('a sandbox by its name', () => {
  it('may be left out where the project has one', () => {
    expect(chooseSandbox(all, '/work/shop', undefined)).toBe(shop);
  });

  it('is asked for where the project has several, and the error names them', () => {
    expect(() => chooseSandbox(all, '/work/blog', undefined)).toThrow(
      expect.objectContaining({ code: 'ambiguous-name', hint: 'name one: review, draft' }),
    );
  });

  it('means the own project first', () => {
    expect(chooseSandbox([other, shop], '/work/shop', 'shop')).toBe(shop);
    expect(chooseSandbox([other, shop], '/elsewhere/shop', 'shop')).toBe(other);
  });

  it('elsewhere must be the only one', () => {
    expect(chooseSandbox(all, '/tmp', 'review')).toBe(review);
    expect(() => chooseSandbox([...all, other], '/tmp', 'shop')).toThrow(
      expect.objectContaining({ code: 'ambiguous-name' }),
    );
  });

  it('may be written with its project', () => {
    expect(chooseSandbox(all, '/work/shop', 'blog/draft')).toBe(draft);
    expect(() => chooseSandbox(all, '/work/shop', 'shop/draft')).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });

  it('may be its id, also where names are the same; a name goes first', () => {
    expect(chooseSandbox([...all, other], '/tmp', 'd4')).toBe(other);
    expect(() => chooseSandbox([...all, other], '/tmp', 'shop/shop')).toThrow(
      expect.objectContaining({ code: 'ambiguous-name', why: expect.stringContaining('(d4)') }),
    );
    const named: Known = { ...draft, name: 'd4' };
    expect(chooseSandbox([other, named], '/tmp', 'd4')).toBe(named);
  });

  it('that is unknown: the error says which there are', () => {
    expect(() => chooseSandbox(all, '/tmp', 'shob')).toThrow(
      expect.objectContaining({ code: 'not-found', why: 'there are: shop/shop, blog/review, blog/draft' }),
    );
  });
});

describe("a folder's project", () => {
  it('is the nearest folder upwards that has a file or was applied', () => {
    const withFile = new Set(['/work', '/work/shop/inner']);
    const look = (cwd: string) => projectDirOf(cwd, all, (dir) => withFile.has(dir));
    expect(look('/work/shop/src')).toBe('/work/shop');
    expect(look('/work/shop/inner/src')).toBe('/work/shop/inner');
    expect(look('/work/new')).toBe('/work');
    expect(look('/tmp')).toBeUndefined();
  });

  it('is not one whose name merely begins alike', () => {
    expect(projectDirOf('/work/shop-evil', all, () => false)).toBeUndefined();
  });
});
