import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDevcontainer } from '../../../../lib/config/devcontainer/read-devcontainer.ts';
import { makeProject } from '../project.ts';

test('the file in the folder comes before the one beside it', async () => {
  const dir = await makeProject({ '.devcontainer.json': '\uFEFF{ "a": 1 }' });
  expect(await readDevcontainer(dir)).toEqual({ file: '.devcontainer.json', fields: new Map([['a', 1]]) });
  const both = await makeProject({ '.devcontainer.json': '{}', '.devcontainer/devcontainer.json': '{ "b": 2, }' });
  expect((await readDevcontainer(both)).fields).toEqual(new Map([['b', 2]]));
});

test('an error has the line and the column', async () => {
  const dir = await makeProject({ '.devcontainer.json': '{\n  // comment\n  "image" 1\n}' });
  await expect(readDevcontainer(dir)).rejects.toMatchObject({
    code: 'config-syntax',
    place: { file: join(dir, '.devcontainer.json'), line: 3, column: 11 },
  });
});
