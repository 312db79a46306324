/** A state folder of an earlier build gets the present names of files, wherever an earlier migration was cut off. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPlaceholders } from '../../../lib/engine/local/credentials/placeholder-file.ts';
import { homeOf, instancePaths } from '../../../lib/paths.ts';
import { migrateInstance } from '../../../lib/state/migrate.ts';

const ID = 'demo-0123456789';
const STUBS = JSON.stringify({ version: 1, paths: ['/work/.env'] });
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-migrate-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function oldInstance() {
  const home = homeOf({ SBX_HOME: root });
  const paths = instancePaths(home, ID);
  mkdirSync(join(paths.dir, 'door'), { recursive: true });
  writeFileSync(join(paths.dir, 'door', 'proxy'), '');
  writeFileSync(join(paths.dir, 'placeholders.json'), STUBS);
  writeFileSync(join(paths.dir, 'stand-ins.json'), JSON.stringify({ version: 1, standIns: { TOKEN: 'sbx_abc' } }));
  return { home, paths };
}

test('renames the files of an earlier build and keeps what they hold', () => {
  const { home, paths } = oldInstance();
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(readFileSync(paths.mountStubs, 'utf8')).toBe(STUBS);
  expect(existsSync(paths.proxySocket)).toBe(true);
  for (const name of ['door', 'placeholders.json', 'stand-ins.json'])
    expect(existsSync(join(paths.dir, name))).toBe(false);
});

test('a second run changes nothing', () => {
  const { home, paths } = oldInstance();
  migrateInstance(home, ID);
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(readFileSync(paths.mountStubs, 'utf8')).toBe(STUBS);
});

test('finishes a migration that was cut off after the new placeholders were written', () => {
  const { home, paths } = oldInstance();
  writeFileSync(paths.placeholders, JSON.stringify({ version: 1, placeholders: { TOKEN: 'sbx_abc' } }));
  migrateInstance(home, ID);
  expect(readPlaceholders(home, ID)).toEqual({ TOKEN: 'sbx_abc' });
  expect(existsSync(join(paths.dir, 'stand-ins.json'))).toBe(false);
});
