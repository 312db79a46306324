import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../../../lib/engine/local/workspace/explain-path.ts';

const folder = (name: string, path: string, isFile = false) => ({ name, path, isFile, readonly: false });
const folders = [folder('ws', '/p'), folder('m0', '/p/data'), folder('m1', '/etc/one', true)];

describe('the place of a path of the host', () => {
  test.each([
    ['/p', { folder: 'ws', path: '' }],
    ['/p/', { folder: 'ws', path: '' }],
    ['/p/a/b/', { folder: 'ws', path: 'a/b/' }],
    ['/p/data/x', { folder: 'm0', path: 'x' }],
    ['/p/database', { folder: 'ws', path: 'database' }],
    ['/etc/one', { folder: 'm1', path: 'one' }],
  ])('%s', (path, place) => {
    expect(placeOf(folders, path)).toEqual(place);
  });

  test.each(['/', '/pp', '/etc', '/etc/two'])('%s is served nowhere', (path) => {
    expect(placeOf(folders, path)).toBeUndefined();
  });
});
