/** Layers become one tar, in the jail of the real merge; hostile ones are refused. Needs a build: `node scripts/build.mjs`. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mergeCommand, mergeInJail } from '../../../../lib/image/oci/merge-jail.ts';
import { findRuntimeParts } from '../../../../lib/image/platform/runtime.ts';
import { run } from '../../../../lib/system/run-tool.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-merge-'));
  mkdirSync(join(dir, 'blobs'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type Entry = Partial<Header> & { name: string; content?: string };

async function tarOf(entries: Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry({ mtime: new Date(0), ...header } as Header, content);
  tar.finalize();
  return buffer(tar as AsyncIterable<Buffer>);
}

async function request(layers: { data: Buffer; compression: 'gzip' | 'zstd' | 'none' }[], maxBytes = 10_000_000) {
  const { node } = await findRuntimeParts(resolve('dist'));
  const named = layers.map(({ data, compression }, index) => {
    writeFileSync(join(dir, 'blobs', `layer-${index}`), data);
    return { name: `layer-${index}`, compression };
  });
  const [blobs, target, script] = [join(dir, 'blobs'), join(dir, 'merged.tar'), resolve('dist/merge-layers.mjs')];
  return { blobs, layers: named, target, node, script, maxBytes, signal: undefined };
}

/** Name → kind, target or content */
async function merged(...layers: Entry[][]): Promise<Record<string, string>> {
  const packed = await Promise.all(
    layers.map(async (entries) => ({ data: gzipSync(await tarOf(entries)), compression: 'gzip' as const })),
  );
  await mergeInJail(await request(packed));
  return read();
}

async function read(): Promise<Record<string, string>> {
  const tar = extract();
  tar.end(readFileSync(join(dir, 'merged.tar')));
  const found: Record<string, string> = {};
  for await (const entry of tar) {
    const content = (await buffer(entry as AsyncIterable<Buffer>)).toString();
    found[entry.header.name] = entry.header.linkname ?? `${entry.header.type} ${content}`.trim();
  }
  return found;
}

describe('layers', () => {
  test('lie over each other, with whiteouts, links, owners and modes', async () => {
    const lower: Entry[] = [
      { name: 'etc/', type: 'directory', mode: 0o755 },
      { name: 'etc/old', content: 'old' },
      { name: 'etc/kept', content: 'kept', mode: 0o4755, uid: 1234, gid: 70_000 },
      { name: 'usr/bin/', type: 'directory' },
      { name: 'bin', type: 'symlink', linkname: 'usr/bin' },
      { name: 'usr/bin/one', content: 'program' },
      { name: 'usr/bin/two', type: 'link', linkname: 'usr/bin/one' },
      { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
    ];
    const upper: Entry[] = [
      { name: 'etc/.wh.old' },
      { name: 'bin/three', content: 'through a link' },
      { name: 'usr/bin/one', content: 'another' },
    ];
    expect(await merged(lower, upper)).toEqual({
      './': 'directory',
      './etc/': 'directory',
      './etc/kept': 'file kept',
      './usr/': 'directory',
      './usr/bin/': 'directory',
      './usr/bin/one': 'file another',
      './usr/bin/two': 'file program',
      './usr/bin/three': 'file through a link',
      './bin': 'usr/bin',
    });
    const listed = execFileSync('tar', ['--numeric-owner', '-tvf', join(dir, 'merged.tar'), './etc/kept'], {
      encoding: 'utf8',
    });
    expect(listed).toMatch(/^-rwsr-xr-x 1234\/70000 +4 /);
  });

  test('names of one file stay hard links of each other', async () => {
    const found = await merged([
      { name: 'a', content: 'x' },
      { name: 'b', type: 'link', linkname: 'a' },
    ]);
    expect([found['./a'], found['./b']].toSorted()).toEqual(['./a', 'file x']);
  });

  test('of zstd and without compression are read, too', async () => {
    const plain = await tarOf([{ name: 'a', content: 'plain' }]);
    const zstd = execFileSync('zstd', ['-qc'], { input: await tarOf([{ name: 'b', content: 'zstd' }]) });
    await mergeInJail(
      await request([
        { data: plain, compression: 'none' },
        { data: zstd, compression: 'zstd' },
      ]),
    );
    expect(await read()).toMatchObject({ './a': 'file plain', './b': 'file zstd' });
  });
});

test('a layer may end without the padding of its last file, as umoci writes it', async () => {
  const whole = await tarOf([{ name: 'a', content: 'short' }]);
  await mergeInJail(await request([{ data: whole.subarray(0, 517), compression: 'none' }]));
  expect(await read()).toMatchObject({ './a': 'file short' });
});

describe('a hostile layer', () => {
  const outside = '/tmp/sbx-merge-outside';
  test.each<[string, Entry[]]>([
    ['with a name that leads out', [{ name: `../../..${outside}`, content: 'x' }]],
    ['with a hard link that leads out', [{ name: 'a', type: 'link', linkname: '../../../etc/passwd' }]],
    ['with a hard link to a file of the host', [{ name: 'a', type: 'link', linkname: '/etc/passwd' }]],
    [
      'with a file below a file',
      [
        { name: 'a', content: 'x' },
        { name: 'a/b', content: 'x' },
      ],
    ],
    [
      'with links in a loop',
      [
        { name: 'a', type: 'symlink', linkname: 'a' },
        { name: 'a/b', content: 'x' },
      ],
    ],
  ])('%s is refused', async (_, entries) => {
    await expect(merged(entries)).rejects.toMatchObject({
      code: 'image-source',
      why: expect.stringContaining('layer 1: '),
    });
    expect(existsSync(outside)).toBe(false);
  });

  test('that writes through a link writes in the image only, and no link is on a name’s way in the tar', async () => {
    const found = await merged(
      [{ name: 'x', type: 'symlink', linkname: '/tmp' }],
      [{ name: 'x/sbx-merge-outside', content: 'x' }],
    );
    expect(found).toEqual({
      './': 'directory',
      './tmp/': 'directory',
      './tmp/sbx-merge-outside': 'file x',
      './x': '/tmp',
    });
    // GNU tar unpacks it, as the base layer is made.
    const root = join(dir, 'root');
    mkdirSync(root);
    execFileSync('tar', ['-xf', join(dir, 'merged.tar'), '-C', root]);
    expect(readFileSync(join(root, 'tmp/sbx-merge-outside'), 'utf8')).toBe('x');
    expect(existsSync(outside)).toBe(false);
  });

  test('the same layers, unpacked one over the other by tar, would write outside: the test before shows something', async () => {
    const root = join(dir, 'root');
    const elsewhere = join(dir, 'elsewhere');
    mkdirSync(root);
    mkdirSync(elsewhere);
    const layers = [
      [{ name: 'x', type: 'symlink', linkname: elsewhere }],
      [{ name: 'x/file', content: 'x' }],
    ] as Entry[][];
    for (const [index, entries] of layers.entries()) {
      writeFileSync(join(dir, `${index}.tar`), await tarOf(entries));
      execFileSync('tar', ['-xf', join(dir, `${index}.tar`), '-C', root]);
    }
    expect(existsSync(join(elsewhere, 'file'))).toBe(true);
  });

  test('that is a bomb is refused before it fills the disk', async () => {
    const data = gzipSync(await tarOf([{ name: 'zeros', content: '\0'.repeat(20_000_000) }]));
    expect(data.length).toBeLessThan(100_000);
    await expect(mergeInJail(await request([{ data, compression: 'gzip' }]))).rejects.toMatchObject({
      why: expect.stringContaining('more than 10000000 bytes'),
    });
    expect(statSync(join(dir, 'merged.tar')).size).toBeLessThan(10_000_000);
  });

  test.each<[string, Buffer, 'gzip' | 'zstd' | 'none']>([
    ['is no gzip', Buffer.from('no gzip'), 'gzip'],
    ['is no zstd', Buffer.from('no zstd'), 'zstd'],
    ['is no tar', Buffer.alloc(2_048, 'x'), 'none'],
    ['is cut off', Buffer.alloc(0), 'gzip'],
  ])('that %s is refused', async (_, data, compression) => {
    await expect(mergeInJail(await request([{ data, compression }]))).rejects.toMatchObject({ code: 'image-source' });
  });

  test('that is cut in the middle of a file is refused', async () => {
    const whole = gzipSync(
      await tarOf([
        { name: 'a', content: 'y'.repeat(100_000) },
        { name: 'b', content: 'x' },
      ]),
    );
    const data = whole.subarray(0, whole.length - 40);
    await expect(mergeInJail(await request([{ data, compression: 'gzip' }]))).rejects.toMatchObject({
      code: 'image-source',
    });
  });
});

test('the jail of the merge sees neither the host’s files nor a network, and writes one file', async () => {
  const asked = await request([]);
  const script = join(dir, 'look.mjs');
  writeFileSync(
    script,
    `import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
const fails = (path) => { try { writeFileSync(path, 'x'); return false; } catch { return true; } };
console.log(JSON.stringify({ home: existsSync(${JSON.stringify(dir)}), etc: readdirSync('/etc'), net: Object.keys(networkInterfaces()), blobs: fails('/blobs/x'), root: fails('/x') }));`,
  );
  const said = await run('bwrap', mergeCommand({ ...asked, script, target: script }));
  expect(JSON.parse(said)).toEqual({ home: false, etc: ['ld.so.cache'], net: ['lo'], blobs: true, root: true });
});
