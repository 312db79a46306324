import { expect, test } from 'vitest';
import { EDITORS, editorCommand } from '../../../lib/ssh/editors.ts';

const TARGET = { host: 'web.shop.sbx', path: '/home/me/my shop' };

test('VS Code and its forks open a remote folder', () => {
  for (const editor of ['code', 'codium', 'cursor', 'windsurf'])
    expect(editorCommand(editor, TARGET)).toEqual([editor, '--remote', 'ssh-remote+web.shop.sbx', '/home/me/my shop']);
});

test('Zed opens an address', () => {
  expect(editorCommand('zed', TARGET)).toEqual(['zed', 'ssh://web.shop.sbx/home/me/my%20shop']);
});

test('no path of a project becomes an option or another host', () => {
  for (const editor of EDITORS)
    for (const path of ['/--install-extension', '/a@b?c#d'])
      for (const word of editorCommand(editor, { ...TARGET, path }).slice(1))
        expect(word).toMatch(/^(--remote|ssh-remote\+web\.shop\.sbx|\/.*|ssh:\/\/web\.shop\.sbx\/[^?#@]*)$/);
});
