import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Banned {
  word: string;
  term: string;
}
interface Words {
  bannedWords(glossary: string): Banned[];
  findBanned(text: string, banned: Banned[]): { line: number; word: string; term: string }[];
}

const script = new URL('../../../scripts/words.mjs', import.meta.url).href;
const { bannedWords, findBanned }: Words = await import(script);
const banned = bannedWords(readFileSync('docs/glossary.md', 'utf8'));
const wordsIn = (text: string) => findBanned(text, banned).map(({ word }) => word);

describe('bannedWords', () => {
  it('reads every word in backticks of the last column, with the term to use', () => {
    expect(
      bannedWords('| term | meaning | not |\n|---|---|---|\n| `a` | `b` | |\n| c | d | `e f`, `g` |'),
    ).toMatchObject([
      { word: 'e f', term: 'c' },
      { word: 'g', term: 'c' },
    ]);
  });

  it('finds the words of the glossary', () => {
    const lastColumn = readFileSync('docs/glossary.md', 'utf8')
      .split('\n')
      .flatMap((line) => line.split('|')[3]?.match(/(?<=`)[^`,]+(?=`)/g) ?? []);
    expect(banned.map(({ word }) => word)).toEqual(lastColumn.filter((word) => word.trim() !== ''));
    expect(banned.length).toBeGreaterThan(10);
  });
});

describe('findBanned', () => {
  it.each(banned)('finds "$word", also capitalised and in capitals', ({ word, term }) => {
    const capitalised = word.replace(/^./, (letter) => letter.toUpperCase());
    const text = `first line\nit says ${word}, here.\n${capitalised} it says\n(${word.toUpperCase()})`;
    expect(findBanned(text, [...banned.filter((one) => one.word === word)])).toEqual(
      [2, 3, 4].map((line) => ({ line, word, term })),
    );
  });

  it.each(banned.filter(({ word }) => word.includes(' ')))('finds "$word" across a line break', ({ word }) => {
    for (const gap of ['\n', '\n  ', '\n * ', '\n  // ', '\n# ', '  '])
      expect(wordsIn(`so ${word.replace(' ', gap)} to the next`)).toContain(word);
  });

  it('does not find a word inside another', () => {
    expect(wordsIn('indoors, outdoor, doorway, trapdoor, next-door, door-bell, amended, mending, unmended')).toEqual(
      [],
    );
  });
});
