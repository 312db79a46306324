import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractSafely } from '../../../lib/cli/safe-extract.ts';

type Entry = Partial<tar.Header> & { name: string } & { content?: string | Buffer };

let base: string;
let into: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sbx-extract-'));
  into = join(base, 'into');
  mkdirSync(into);
  writeFileSync(join(base, 'canary'), 'alive');
});
afterEach(() => {
  // Nothing beside the folder was touched, whatever the archive.
  expect(readdirSync(base).toSorted()).toEqual(['canary', 'into']);
  expect(readFileSync(join(base, 'canary'), 'utf8')).toBe('alive');
  rmSync(base, { recursive: true });
});

function archive(...entries: Entry[]): Readable {
  const pack = tar.pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) pack.entry(header);
    else pack.entry(header, content);
  }
  pack.finalize();
  return Readable.from(pack);
}

const file = (name: string, content = name): Entry => ({ name, type: 'file', content });
const dir = (name: string): Entry => ({ name, type: 'directory' });
const link = (name: string, linkname: string): Entry => ({ name, type: 'symlink', linkname });
const refused = (...entries: Entry[]) =>
  expect(extractSafely(archive(...entries), into)).rejects.toMatchObject({ code: 'refused-policy' });
const read = (name: string) => readFileSync(join(into, name), 'utf8');

describe('a plain archive', () => {
  test('comes out as it is', async () => {
    const big = Buffer.alloc(3 * 1024 ** 2, 'x');
    const count = await extractSafely(
      archive(
        dir('top/'),
        { ...file('top/run.sh', 'echo hi'), mode: 0o755 },
        file('top/empty', ''),
        dir('top/sub'),
        { name: 'top/sub/big', type: 'file', content: big },
        link('top/link', 'sub/big'),
        file('./top/./dot'),
      ),
      into,
    );
    expect(count).toBe(7);
    expect(read('top/run.sh')).toBe('echo hi');
    expect(statSync(join(into, 'top/run.sh')).mode & 0o777).toBe(0o755);
    expect(read('top/empty')).toBe('');
    expect(readFileSync(join(into, 'top/sub/big')).equals(big)).toBe(true);
    expect(readlinkSync(join(into, 'top/link'))).toBe('sub/big');
    expect(read('top/dot')).toBe('./top/./dot');
  });

  test('its top name can be another', async () => {
    await extractSafely(archive(dir('top'), file('top/a')), into, 'new');
    expect(read('new/a')).toBe('top/a');
    expect(existsSync(join(into, 'top'))).toBe(false);
    await extractSafely(archive(file('one')), into, 'two');
    expect(read('two')).toBe('one');
  });

  test('files that stand there are replaced, folders are kept', async () => {
    mkdirSync(join(into, 'top'));
    writeFileSync(join(into, 'top/a'), 'a much longer text from before');
    writeFileSync(join(into, 'top/kept'), 'kept');
    await extractSafely(archive(dir('top'), file('top/a', 'new')), into);
    expect([read('top/a'), read('top/kept')]).toEqual(['new', 'kept']);
  });

  test('no bit that lends rights', async () => {
    await extractSafely(archive({ ...file('suid'), mode: 0o6755 }), into);
    expect(statSync(join(into, 'suid')).mode & 0o7000).toBe(0);
  });
});

describe('names that lead out', () => {
  test.each(['../canary', 'a/../../canary', '..', 'a/..', './../canary', '/etc/sbx-test', '//etc/sbx-test'])(
    '%s',
    async (name) => {
      await refused(dir('a'), file(name, 'overwritten'));
      await refused(dir('a'), dir(name));
      await refused(dir('a'), link(name, 'x'));
      expect(readdirSync(into)).toEqual(['a']);
    },
  );

  test('a new top name does not hide them', async () => {
    for (const name of ['../canary', '/canary', 'top/../../canary', '..'])
      await expect(extractSafely(archive(file(name, 'overwritten')), into, 'new')).rejects.toMatchObject({
        code: 'refused-policy',
      });
  });

  test('by a long name of the extended header', async () => {
    await refused({ ...file('harmless', 'overwritten'), pax: { path: '../canary' } });
    await refused({ ...file('harmless', 'overwritten'), pax: { path: join(base, 'canary') } });
  });

  test('no name at all', async () => {
    await refused(file('.', 'x'));
    await refused(file('./', 'x'));
  });
});

describe('links', () => {
  test('a link, then a file through it', async () => {
    await refused(link('out', '..'), file('out/canary', 'overwritten'));
  });

  test('a link to an absolute place, then a folder through it', async () => {
    await refused(link('out', base), dir('out/new'));
  });

  test('a link through a link', async () => {
    await refused(dir('a'), link('a/b', '../..'), link('a/b/c', '.'), file('a/b/c/canary', 'overwritten'));
  });

  test('a link, then a file of its own name: the link goes, its target stays', async () => {
    await extractSafely(archive(link('x', '../canary'), file('x', 'new')), into);
    expect(read('x')).toBe('new');
  });

  test('a link that stood there before is replaced by a file, never written through', async () => {
    symlinkSync('../canary', join(into, 'x'));
    await extractSafely(archive(file('x', 'new')), into);
    expect(read('x')).toBe('new');
  });

  test('a link that stood there before is no folder', async () => {
    symlinkSync('..', join(into, 'x'));
    await refused(dir('x'), file('x/canary', 'overwritten'));
    await refused(file('x/canary', 'overwritten'));
  });

  test('a link does not replace a file or a folder', async () => {
    await refused(file('x'), link('x', '..'));
    await refused(dir('y'), link('y', '..'));
    expect(read('x')).toBe('x');
  });

  test('the folder itself behind the new top name', async () => {
    symlinkSync('..', join(into, 'new'));
    await expect(extractSafely(archive(dir('top'), file('top/canary', 'bad')), into, 'new')).rejects.toMatchObject({
      code: 'refused-policy',
    });
  });

  test('a link is kept as it is, and not followed', async () => {
    await extractSafely(archive(link('x', '/etc/passwd'), link('y', '../canary')), into);
    expect([readlinkSync(join(into, 'x')), readlinkSync(join(into, 'y'))]).toEqual(['/etc/passwd', '../canary']);
  });

  test('a hard link', async () => {
    await refused({ name: 'x', type: 'link', linkname: '../canary' });
    await refused(file('a'), { name: 'x', type: 'link', linkname: 'a' });
  });
});

describe('names that differ by case', () => {
  test.each([
    ['.git/config', '.GIT/config'],
    ['readme', 'README'],
    ['stra\u00dfe', 'STRA\u00dfE'],
  ])('%s and %s', async (one, other) => {
    const folders = one.includes('/') ? [dir('.git'), dir('.GIT')] : [];
    await refused(...folders, file(one, 'one'), file(other, 'two'));
  });

  test('folders only named in passing', async () => {
    await refused(dir('Dir'), file('Dir/a'), dir('dir'), file('dir/a'));
  });

  test('names that are one to a file system that composes letters', async () => {
    await refused(file('caf\u00e9'), file('cafe\u0301'));
  });
});

describe('other kinds', () => {
  test.each(['fifo', 'character-device', 'block-device', 'contiguous-file'] as const)('%s', async (type) => {
    await refused({ name: 'x', type });
    expect(readdirSync(into)).toEqual([]);
  });

  test('a file where a folder is, a folder where a file is, and a file as a folder', async () => {
    await refused(dir('x'), file('x'));
    await refused(file('y'), dir('y'));
    await refused(file('z'), file('z/a'));
  });

  test('a folder that was never announced', async () => {
    await refused(file('nowhere/a'));
  });
});

describe('archives that break off', () => {
  test('are an error, not a hang', async () => {
    const bytes = Buffer.concat(await archive(file('a', 'x'.repeat(5_000))).toArray());
    await expect(extractSafely(Readable.from([bytes.subarray(0, 2_000)]), into)).rejects.toThrow();
  });

  test('so is a source that ends with an error, or just ends', async () => {
    const bytes = Buffer.concat(await archive(file('a', 'x'.repeat(5_000))).toArray());
    for (const error of [new Error('gone'), undefined]) {
      const source = new PassThrough();
      source.write(bytes.subarray(0, 2_000));
      setTimeout(() => source.destroy(error), 20);
      await expect(extractSafely(source, into)).rejects.toThrow(error?.message ?? 'broke off');
    }
  });

  test('noise is an error', async () => {
    await expect(extractSafely(Readable.from([Buffer.alloc(4_096, 'noise')]), into)).rejects.toThrow();
  });

  test('so is a folder that cannot be written', async () => {
    writeFileSync(join(into, 'file'), '');
    await expect(extractSafely(archive(file('a')), join(into, 'file'))).rejects.toThrow();
  });

  test('nothing is left open after a refusal', async () => {
    const source = archive(file('../x'), file('big', 'x'.repeat(1_000_000)));
    await expect(extractSafely(source, into)).rejects.toMatchObject({ code: 'refused-policy' });
    expect(source.destroyed).toBe(true);
  });
});
