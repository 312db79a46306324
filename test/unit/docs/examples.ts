/** Finds the fenced examples of the pages. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const PAGES = ['README.md', 'CONTRIBUTING.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter(
  (page) => page.endsWith('.md'),
);

export interface Example {
  /** `docs/run.md:12` */
  place: string;
  text: string;
}

/** Examples of a language in README and docs. One that is not complete has `<!-- fragment -->` on the line above its fence. */
export function examplesOf(language: string): Example[] {
  return PAGES.flatMap((page) => examplesIn(page, language));
}

/** Each call of a program in the running text, as its words. */
export function mentionsOf(command: string): { place: string; words: string[] }[] {
  return PAGES.flatMap((page) => {
    const text = readFileSync(`${root}${page}`, 'utf8').replaceAll(/^```.*?^```$/gms, (block) =>
      block.replaceAll(/./g, ''),
    );
    return [...text.matchAll(new RegExp(`\`${command} ([^\`]+)\``, 'g'))].map(({ index, 1: call = '' }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length}`,
      words: wordsOf(call),
    }));
  });
}

function examplesIn(page: string, language: string): Example[] {
  const text = readFileSync(`${root}${page}`, 'utf8');
  const fence = new RegExp(`^(<!-- fragment -->\\n)?\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms');
  return [...text.matchAll(fence)]
    .filter(([, fragment]) => fragment === undefined)
    .map(({ index, 2: body = '' }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length + 1}`,
      text: body,
    }));
}

/** The arguments of each line that calls sbx; comments, pipes and redirections are left out. */
export function commandLines(text: string): string[][] {
  return text.split('\n').flatMap((line) => {
    const call = /^(?:.*<\()?sbx (.*)$/.exec(line)?.[1];
    return call === undefined ? [] : [wordsOf(call)];
  });
}

function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, single, double, plain, end] of line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"#|<>&;()]+)|([#|<>&;()])/g)) {
    if (end !== undefined) break;
    words.push(single ?? double ?? plain ?? '');
  }
  return words;
}
