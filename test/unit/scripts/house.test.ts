import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

type Check = (root: string) => string[];
interface House {
  checkHouse: Check;
  checkImports: Check;
  checkRooms: Check;
  checkExports: Check;
}

const script = new URL('../../../scripts/house.mjs', import.meta.url).href;
const { checkHouse, checkImports, checkRooms, checkExports }: House = await import(script);
const source = new URL('../../../', import.meta.url).pathname;

/** `top` imports `low`; `main.ts` uses both. */
const SOUND = {
  'package.json': '{"name":"fixture","type":"module"}',
  'tsconfig.json': '{"compilerOptions":{"module":"nodenext","allowImportingTsExtensions":true,"noEmit":true}}',
  'knip.json': '{"entry":["lib/top/main.ts"],"project":["lib/**/*.ts"]}',
  'scripts/rooms.json': '{"top":["low"],"low":[]}',
  'docs/glossary.md': '| term | meaning | not |\n|---|---|---|\n| proxy | a listener | `door` |\n',
  'lib/top/main.ts': "import { low } from '../low/low.ts';\nprocess.stdout.write(low);\n",
  'lib/low/low.ts': "export const low = 'low';\n",
};
let root: string;

function plant(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-house-'));
  execFileSync('git', ['init', '-q'], { cwd: root });
  plant(SOUND);
  copyFileSync(join(source, '.dependency-cruiser.cjs'), join(root, '.dependency-cruiser.cjs'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Each starts dependency-cruiser or knip, which takes seconds on a busy host. */
describe('npm run house', { timeout: 120_000 }, () => {
  it('passes a sound tree', () => {
    expect(checkHouse(root)).toEqual([]);
  });

  it('fails on an import that scripts/rooms.json does not allow', () => {
    plant({ 'scripts/rooms.json': '{"top":[],"low":[]}' });
    expect(checkImports(root).join()).toMatch(/error room-top: lib\/top\/main.ts → lib\/low\/low.ts/);
  });

  it('fails on a cycle of rooms whose files have none', () => {
    plant({
      'scripts/rooms.json': '{"top":["low"],"low":["top"]}',
      'lib/top/other.ts': 'export const other = 1;\n',
      'lib/low/user.ts': "import { other } from '../top/other.ts';\nprocess.stdout.write(String(other));\n",
    });
    expect(checkImports(root).join()).toMatch(/error no-cycles-of-rooms: /);
    expect(checkImports(root).join()).not.toMatch(/error no-cycles: /);
  });

  it('fails on a cycle of files within a room', () => {
    plant({
      'lib/low/low.ts': "import { two } from './two.ts';\nexport const low = two;\n",
      'lib/low/two.ts': "import { low } from './low.ts';\nexport const two = () => low;\n",
    });
    expect(checkImports(root).join()).toMatch(/error no-cycles: /);
  });

  it('fails on an export that no other file imports, also if its own file uses it', () => {
    plant({ 'lib/low/low.ts': "export const part = 'l';\nexport const low = part;\n" });
    expect(checkExports(root).join()).toMatch(/part\s+lib\/low\/low.ts:1/);
  });

  it('fails on a removal whose path goes up', () => {
    const up = ['.', '.', '/', '..'].join('');
    plant({
      'test/one.test.ts': `import { rmSync } from 'node:fs';\n\nafterEach(() => rmSync(join(dir, '${up}')));\n`,
    });
    expect(checkHouse(root).join()).toMatch(/test\/one.test.ts:3: a removal goes up/);
  });

  it('fails on a banned word', () => {
    plant({ 'lib/low/low.ts': "/** A Door */\nexport const low = 'low';\n" });
    expect(checkHouse(root)).toEqual(['lib/low/low.ts:1: "door" is not used here: proxy']);
  });
});

describe('scripts/rooms.json', () => {
  it('lists every room', () => {
    plant({ 'scripts/rooms.json': '{"top":["low"]}' });
    expect(checkRooms(root)).toEqual(['lib/low is missing from scripts/rooms.json']);
  });

  it('lists no room without files', () => {
    plant({ 'scripts/rooms.json': '{"top":["low"],"low":[],"gone":[]}' });
    expect(checkRooms(root)).toEqual(['scripts/rooms.json lists gone, which has no files']);
  });

  it('allows no import that no file uses', () => {
    plant({ 'scripts/rooms.json': '{"top":["low"],"low":["top"]}' });
    expect(checkRooms(root)).toEqual(['scripts/rooms.json allows low → top, which no file imports']);
  });
});
