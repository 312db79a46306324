import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callerVariables, type Descriptions, terminalType } from '../../../../lib/guest/agent/process/caller.ts';
import { keepLoginPath } from '../../../../lib/guest/agent/process/login-path.ts';

let dir: string;
let known: Descriptions;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-caller-'));
  const file = (path: string, data: string | Buffer = '') => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), data);
  };
  file('terminfo/x/xterm-256color');
  file('terminfo/74/tmux-256color');
  file('locales/fr_FR.utf8/LC_CTYPE');
  file('zones/Europe/Berlin');
  // The head, a table of names, and more.
  const names = Buffer.from('de_DE.utf8\0en_GB.utf8\0');
  const head = Buffer.alloc(28);
  head.writeUInt32LE(100, 20);
  head.writeUInt32LE(names.length, 24);
  file('locales/locale-archive', Buffer.concat([head, Buffer.alloc(72), names, Buffer.from('ja_JP.utf8\0')]));
  known = {
    terminfo: [join(dir, 'none'), join(dir, 'terminfo')],
    locales: join(dir, 'locales'),
    zones: join(dir, 'zones'),
  };
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ['xterm-256color', 'xterm-256color'],
  ['tmux-256color', 'tmux-256color'],
  ['xterm-kitty', 'xterm-256color'],
  ['', 'xterm-256color'],
  ['../terminfo/x/xterm-256color', 'xterm-256color'],
  ['x/../../x', 'xterm-256color'],
])('the terminal type %j is %s inside', (wanted, type) => {
  expect(terminalType(wanted, known)).toBe(type);
});

test.each([
  [{ locale: 'de_DE.UTF-8' }, { LANG: 'de_DE.UTF-8' }],
  [{ locale: 'fr_FR.utf8' }, { LANG: 'fr_FR.utf8' }],
  [{ locale: 'ja_JP.UTF-8' }, {}],
  [{ locale: 'utf8' }, {}],
  [{ locale: '../zones' }, {}],
  [{ zone: 'Europe/Berlin' }, { TZ: 'Europe/Berlin' }],
  [{ zone: 'Europe/Atlantis' }, {}],
  [{ zone: 'Europe/../Europe/Berlin' }, {}],
  [{ zone: '/etc/localtime' }, {}],
  [{ colours: 'truecolor' }, { COLORTERM: 'truecolor' }],
  [{ colours: 'a b' }, {}],
  [{}, {}],
])('of the caller %j the guest uses %j', (caller, variables) => {
  expect(callerVariables(caller, true, known)).toEqual(variables);
});

test('colours are for terminals', () => {
  expect(callerVariables({ colours: 'truecolor' }, false, known)).toEqual({});
});

test('a guest without descriptions uses the common ones', () => {
  const none = { terminfo: [], locales: join(dir, 'none'), zones: join(dir, 'none') };
  expect(terminalType('foot', none)).toBe('xterm-256color');
  expect(callerVariables({ locale: 'de_DE.UTF-8', zone: 'Europe/Berlin' }, true, none)).toEqual({});
});

test('login shells get the configured PATH by a file that is written once it is needed, and again when it was changed', () => {
  const file = join(dir, 'sbx-path.sh');
  keepLoginPath({ PATH: '/bin' }, file);
  expect(() => readFileSync(file)).toThrow('ENOENT');
  for (const before of ['', 'exit 1\n']) {
    writeFileSync(file, before);
    keepLoginPath({ SBX_PATH: '/a:/b' }, file);
    expect(readFileSync(file, 'utf8')).toBe('[ -z "$SBX_PATH" ] || export PATH="$SBX_PATH"\n');
  }
  expect(() => keepLoginPath({ SBX_PATH: '/a' }, join(dir, 'none', 'x'))).not.toThrow();
});
