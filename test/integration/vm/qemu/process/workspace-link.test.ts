import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WORKSPACE_LINK } from '../../../../../lib/vm/driver.ts';
import { makeLink } from '../../../../../lib/vm/qemu/process/workspace-link.ts';

let dir: string;
let link: string;
let mailbox: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-link-'));
  link = join(dir, 'link');
  mailbox = join(link, 'mailbox');
});
afterEach(() => rmSync(dir, { recursive: true }));

const isWhole = () => lstatSync(mailbox).isFile() && statSync(mailbox).size === WORKSPACE_LINK.mailboxBytes;

test('makes a private folder with a mailbox that takes no space', () => {
  makeLink(link);
  expect(statSync(link).mode & 0o777).toBe(0o700);
  expect(statSync(mailbox).mode & 0o777).toBe(0o600);
  expect([isWhole(), statSync(mailbox).blocks]).toEqual([true, 0]);
});

test('keeps a mailbox that a server has open, and removes the socket of before', () => {
  makeLink(link);
  const fd = openSync(mailbox, 'r');
  const { ino } = statSync(mailbox);
  writeFileSync(join(link, 'port'), '');
  makeLink(link);
  expect([statSync(mailbox).ino, existsSync(join(link, 'port'))]).toEqual([ino, false]);
  closeSync(fd);
});

test('a file of the host is neither resized nor replaced by what a monitor left in the folder', () => {
  const victim = join(dir, 'victim');
  writeFileSync(victim, 'precious');
  mkdirSync(link);
  symlinkSync(victim, mailbox);
  symlinkSync(victim, join(link, 'port'));
  makeLink(link);
  expect([readFileSync(victim, 'utf8'), isWhole()]).toEqual(['precious', true]);
});

test('a folder or a file of another size in its place is replaced', () => {
  mkdirSync(join(mailbox, 'sub'), { recursive: true });
  makeLink(link);
  expect(isWhole()).toBe(true);
  truncateSync(mailbox, 4096);
  makeLink(link);
  expect(isWhole()).toBe(true);
});
