import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installInclude, isInstalled, removeInclude } from '../../../lib/ssh/user-config.ts';

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-ssh-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const config = (guestFolders: string[] = []) => ({
  file: join(dir, '.ssh', 'config'),
  line: `Include "${dir}/instances/*/ssh/config"`,
  guestFolders,
});
const write = (text: string | Buffer, mode = 0o600) => {
  mkdirSync(dirname(config().file), { recursive: true });
  writeFileSync(config().file, text);
  chmodSync(config().file, mode);
};

describe('sbx ssh-config --install', () => {
  test('makes the file and its folder for their owner alone, and changes nothing the second time', async () => {
    expect(await installInclude(config())).toBe(true);
    expect(statSync(dirname(config().file)).mode & 0o777).toBe(0o700);
    expect(statSync(config().file).mode & 0o777).toBe(0o600);
    expect(isInstalled(config())).toBe(true);
    expect(await installInclude(config())).toBe(false);
    expect(readdirSync(dirname(config().file))).toEqual(['config']);
  });

  test('keeps each byte and the mode of a file; --uninstall gives back what was there', async () => {
    const bytes = Buffer.from([0x23, 0xff, 0xfe, 0x0d, 0x0a, 0x48, 0x6f, 0x73, 0x74, 0x20, 0x78]);
    write(bytes, 0o640);
    await installInclude(config());
    expect(statSync(config().file).mode & 0o777).toBe(0o640);
    expect(await removeInclude(config())).toBe(true);
    expect(readFileSync(config().file)).toEqual(bytes);
    expect(await removeInclude(config())).toBe(false);
  });

  test('writes where a link of the person leads, and the link stays', async () => {
    const real = join(dir, 'dotfiles');
    writeFileSync(real, 'Host x\n', { mode: 0o600 });
    mkdirSync(dirname(config().file));
    symlinkSync(real, config().file);
    await installInclude(config());
    expect(lstatSync(config().file).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, 'utf8')).toMatch(/Include .*\nHost x\n$/);
  });

  test('ssh itself reads the entries of the sandboxes by it, and none once their folders are gone', async () => {
    const entry = join(dir, 'instances', 'a', 'ssh', 'config');
    mkdirSync(dirname(entry), { recursive: true });
    writeFileSync(entry, 'Host web.shop.sbx\n  ForwardAgent no\n  User agent\n', { mode: 0o600 });
    write('Host *\n  ForwardAgent yes\n  User me\n');
    await installInclude(config());
    const { stdout } = await execa('ssh', ['-G', '-F', config().file, 'web.shop.sbx']);
    expect(stdout).toMatch(/^forwardagent no$/m);
    expect(stdout).toMatch(/^user agent$/m);
    rmSync(join(dir, 'instances', 'a'), { recursive: true });
    expect((await execa('ssh', ['-G', '-F', config().file, 'web.shop.sbx'])).stdout).toMatch(/^user me$/m);
  });
});

describe('a file that is not safe', () => {
  const refused = (why: RegExp, folders: string[] = []) =>
    expect(installInclude(config(folders))).rejects.toMatchObject({ code: 'usage', why: expect.stringMatching(why) });

  test('behind a link into a folder that a sandbox can write is refused', async () => {
    const project = join(dir, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'config'), '', { mode: 0o600 });
    mkdirSync(dirname(config().file));
    symlinkSync(join(project, 'config'), config().file);
    await refused(/a sandbox can write/, [project]);
    expect(readFileSync(join(project, 'config'), 'utf8')).toBe('');
    // Not in such a folder, the same file is accepted.
    expect(await installInclude(config())).toBe(true);
  });

  test('in a folder behind a link of a sandbox is refused, also where there is no file yet', async () => {
    mkdirSync(join(dir, 'project'));
    symlinkSync(join(dir, 'project'), join(dir, '.ssh'));
    await refused(/a sandbox can write/, [join(dir, 'project')]);
    expect(existsSync(join(dir, 'project', 'config'))).toBe(false);
  });

  test('that others can write, or that is a folder, a pipe or a link to nothing, is refused', async () => {
    write('', 0o666);
    await refused(/other users/);
    rmSync(config().file);
    mkdirSync(config().file);
    await refused(/not a regular file/);
    rmSync(config().file, { recursive: true });
    await execa('mkfifo', [config().file]);
    await refused(/not a regular file/);
    rmSync(config().file);
    symlinkSync(join(dir, 'nowhere'), config().file);
    await refused(/leads nowhere/);
    expect(existsSync(join(dir, 'nowhere'))).toBe(false);
  });
});
