import { readFile } from 'node:fs/promises';

/** Of the files that can be read. */
export async function readTexts(files: string[]): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => undefined)));
  return texts.filter((text) => text !== undefined);
}
