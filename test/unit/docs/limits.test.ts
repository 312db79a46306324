/** What README says is not there yet is what `apply` refuses, no more and no less. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { UNSUPPORTED } from '../../../lib/config/schema/unsupported.ts';

/** Field of the file → its words in README */
const WORDS: Record<string, string> = {
  credentials: 'credentials',
  'image.base': 'OCI images',
  'agent.files': 'files of agents',
};

test('what is not there yet', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  const list = /\*\*Not there yet\*\* \(.*?\): (.*?)\./.exec(readme)?.[1]?.split(', ') ?? [];
  expect(list.toSorted()).toEqual(UNSUPPORTED.map((path) => WORDS[path] ?? `a word for ${path}`).toSorted());
});
