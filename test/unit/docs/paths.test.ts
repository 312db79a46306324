/** Every path of the repository that a page names exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)];

test.each(pages.filter((page) => page.endsWith('.md')))('%s names files and folders that exist', (page) => {
  const text = readFileSync(`${root}${page}`, 'utf8');
  const paths = [...text.matchAll(/`((?:lib|test|scripts|bin|examples)\/[\w./-]*\w)\/?`/g)].map(([, path]) => path);
  expect(paths.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
});

test.each(pages.filter((page) => page.endsWith('.md')))('%s links to pages that exist', (page) => {
  const text = readFileSync(`${root}${page}`, 'utf8');
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#([^)]+))?\)/g)];
  for (const [, path = '', anchor] of links) {
    const url = new URL(path, new URL(page, new URL('../../../', import.meta.url)));
    expect([path, existsSync(url)]).toEqual([path, true]);
    if (anchor === undefined) continue;
    const anchors = [...readFileSync(url, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    expect(anchors).toContain(anchor);
  }
});
