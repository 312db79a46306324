/** Files with holes, and the maps that a hostile guest sends of them. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GuestMailbox } from '../../../../lib/guest/agent/guest-mailbox.ts';
import { get, put } from '../../../../lib/guest/client/transfer.ts';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { pack } from '../../../../lib/guest/copy/pack.ts';
import { encodeMap, MAX_PARTS, type Part, SPARSE_TYPE } from '../../../../lib/guest/copy/sparse-map.ts';
import { withoutControl } from './control-off.ts';
import { agentWith, connectTo, makeMailbox, USER } from './lanes-rig.ts';
import { archiveOf, copy, type Entry, expectNothingOutside, extractInto, root, usePlace } from './rig.ts';

const place = usePlace();
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A file of this size with data at these places */
function makeSparse(path: string, size: number, ...parts: Part[]): void {
  const fd = openSync(path, 'w');
  for (const { at, length } of parts) writeSync(fd, Buffer.alloc(length, `data of ${at} `), 0, length, at);
  closeSync(fd);
  truncateSync(path, size);
}

const onDisk = (path: string) => statSync(path).blocks * 512;

async function packed(name: string): Promise<Buffer> {
  await using folder = await Folder.open(place.dir);
  const pieces: Buffer[] = [];
  for await (const piece of pack({ folder, name, perl: ['perl'] })) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('a sparse file', () => {
  const cases: [string, Part[]][] = [
    ['data in the middle', [{ at: 512 * MIB, length: 4 * KIB }]],
    ['data at both ends', [0, GIB - 4 * KIB].map((at) => ({ at, length: 4 * KIB }))],
    ['no data', []],
  ];
  test.each(cases)('of 1 GiB with %s is as small in the archive and on the disk', async (_name, parts) => {
    makeSparse(join(place.dir, 'from'), GIB, ...parts);
    const archive = await packed('from');
    expect(archive.length).toBeLessThan(64 * KIB);
    const result = await extractInto(place.into, archive);
    expect(result).toEqual({ entries: 1, bytes: GIB, skipped: [] });
    expect(statSync(join(place.into, 'copy')).size).toBe(GIB);
    expect(onDisk(join(place.into, 'copy'))).toBeLessThan(64 * KIB);
    execFileSync('cmp', ['-n', String(8 * KIB), join(place.dir, 'from'), join(place.into, 'copy')]);
    for (const { at } of parts)
      execFileSync('cmp', ['-i', String(at), '-n', String(4 * KIB), join(place.dir, 'from'), join(place.into, 'copy')]);
  });

  test.each([
    ['in', put],
    ['out', get],
  ])('goes %s through a mailbox with its holes', async (_way, send) => {
    const mailbox = join(place.dir, 'mailbox');
    makeMailbox(mailbox);
    makeSparse(join(place.dir, 'from'), 64 * MIB, { at: 20 * MIB, length: MIB });
    const guest = connectTo(agentWith(new GuestMailbox(() => mailbox)));
    await send(guest, { from: join(place.dir, 'from'), to: join(place.into, 'copy'), user: USER, mailbox });
    execFileSync('cmp', [join(place.dir, 'from'), join(place.into, 'copy')]);
    expect(onDisk(join(place.into, 'copy'))).toBeLessThan(2 * MIB);
  });

  test('is the same file to GNU tar', async () => {
    makeSparse(join(place.dir, 'from'), 16 * MIB, { at: 4 * MIB, length: 5 * KIB }, { at: 9 * MIB, length: 70 * KIB });
    const out = join(place.dir, 'tar');
    mkdirSync(out);
    execFileSync('tar', ['-x', '-f', '-', '--transform', 's/^\\.$/copy/', '-C', out], { input: await packed('from') });
    execFileSync('cmp', [join(place.dir, 'from'), join(out, 'copy')]);
    expect(onDisk(join(out, 'copy'))).toBeLessThan(MIB);
  });

  test('of any shape is the same afterwards', async () => {
    const blocks = fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 9000 })), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(blocks, fc.nat(70 * KIB), async (data, more) => {
        const parts = data.map(([block, length]) => ({ at: block * 4 * KIB, length }));
        makeSparse(join(place.dir, 'from'), MIB + more, ...parts);
        await copy(place.dir, 'from', place.into);
        execFileSync('cmp', [join(place.dir, 'from'), join(place.into, 'copy')]);
        expect(onDisk(join(place.into, 'copy'))).toBeLessThanOrEqual(onDisk(join(place.dir, 'from')));
      }),
      { numRuns: 15 },
    );
  });

  test('is whole where nothing finds its holes', async () => {
    makeSparse(join(place.dir, 'from'), MIB, { at: 4 * KIB, length: 4 * KIB });
    await using folder = await Folder.open(place.dir);
    for (const perl of [[], ['/none/perl'], ['false']]) {
      const pieces: Buffer[] = [];
      for await (const piece of pack({ folder, name: 'from', perl })) pieces.push(piece);
      expect(Buffer.concat(pieces).length).toBeGreaterThan(MIB);
      await extractInto(place.into, Buffer.concat(pieces));
      execFileSync('cmp', [join(place.dir, 'from'), join(place.into, 'copy')]);
    }
  });

  test('of more parts than a map has keeps the first ones, and is whole', async () => {
    const size = (MAX_PARTS + 50) * 8 * KIB;
    const parts = Array.from({ length: MAX_PARTS + 50 }, (_, index) => ({ at: index * 8 * KIB, length: 100 }));
    makeSparse(join(place.dir, 'from'), size, ...parts);
    await copy(place.dir, 'from', place.into);
    execFileSync('cmp', [join(place.dir, 'from'), join(place.into, 'copy')]);
  });
});

interface Lie {
  /** The text of the map */
  map: string;
  data?: string;
  pax?: Record<string, string>;
}

/** Without its lie: a file of 1,000 bytes */
function lying({ map, data = 'evil', pax = {} }: Lie): Entry {
  const good = encodeMap({ size: 1000, parts: [] }).header.pax;
  const content = Buffer.alloc(Math.ceil(map.length / 512) * 512);
  content.write(map, 'latin1');
  return { name: './file', type: SPARSE_TYPE, pax: { ...good, ...pax }, content: content.toString('latin1') + data };
}

const [SIZE, FORMAT] = ['GNU.sparse.realsize', 'GNU.sparse.major'];
const manyParts = Array.from({ length: MAX_PARTS + 1 }, () => '0\n0\n').join('');

/** `control`: the reason of the check that stops it, which the twin switches off; undefined: several do */
const LIES: [name: string, lie: Lie, control?: string][] = [
  ['a part beyond the end', { map: '1\n998\n4\n' }, 'a part is beyond the end of the file'],
  ['a part far beyond the end', { map: '1\n9999999999\n4\n' }, 'a part is beyond the end of the file'],
  ['two parts at one place', { map: '2\n0\n2\n0\n2\n' }, 'its parts overlap or are out of order'],
  ['parts that overlap', { map: '2\n0\n3\n2\n1\n' }, 'its parts overlap or are out of order'],
  ['parts in descending order', { map: '2\n100\n2\n50\n2\n' }, 'its parts overlap or are out of order'],
  ['more data than parts', { map: '1\n0\n3\n' }, 'its parts are not what follows'],
  ['no parts, and data', { map: '0\n' }, 'its parts are not what follows'],
  ['less data than parts', { map: '1\n0\n900\n' }, 'its parts are not what follows'],
  ['a size of 2^53', { map: '1\n0\n4\n', pax: { [SIZE]: '9007199254740993' } }],
  ['a size that no file has', { map: '1\n0\n4\n', pax: { [SIZE]: '99999999999999' } }],
  ['a negative size', { map: '1\n0\n4\n', pax: { [SIZE]: '-1' } }],
  ['a size that is no decimal', { map: '1\n0\n4\n', pax: { [SIZE]: '1e3' } }, 'its size is invalid'],
  ['no size', { map: '1\n0\n4\n', pax: { [SIZE]: '' } }],
  ['a smaller size than its data', { map: '1\n0\n4\n', pax: { [SIZE]: '3' } }, 'a part is beyond the end of the file'],
  ['another format', { map: '1\n0\n4\n', pax: { [FORMAT]: '0' } }, 'its format is unknown'],
  ['a negative place', { map: '1\n-4\n4\n' }, 'it is not a list of numbers'],
  ['a negative length', { map: '2\n0\n8\n8\n-4\n' }],
  ['a count that is no number', { map: '1x\n0\n4\n' }, 'it is not a list of numbers'],
  ['empty lines', { map: '1\n\n0\n4\n' }, 'it is not a list of numbers'],
  ['a number of many digits', { map: `1\n${'0'.repeat(400)}\n4\n` }, 'it is not a list of numbers'],
  ['more parts than allowed', { map: `${MAX_PARTS + 1}\n${manyParts}`, data: '' }, 'it has too many parts'],
  ['very many parts', { map: '99999999999999\n' }],
  ['fewer numbers than its count', { map: '2\n0\n4\n' }],
  ['more after its last number', { map: '1\n0\n4\n77\n' }, 'it is too long'],
  ['nothing', { map: '', data: '' }, 'it ends early'],
];

describe('a map that lies', () => {
  test.each(LIES)('about %s is refused, and leaves no file', async (_name, lie, control = '') => {
    const archive = await archiveOf([root, lying(lie)]);
    await expect(extractInto(place.into, archive)).rejects.toMatchObject({
      code: 'refused-policy',
      why: expect.stringMatching(`map of a sparse file is invalid: .*${control}`),
    });
    expect(readdirSync(join(place.into, 'copy'))).toEqual([]);
    expectNothingOutside(place);
  });

  test.each(LIES.filter(([, , control]) => control !== undefined))(
    'twin: about %s is believed without its check',
    async (_name, lie, control) => {
      const { extract, Folder: OpenFolder } = await withoutControl(
        'copy/sparse-map.ts',
        `throw this.#refused('${control}')`,
      );
      await using into = await OpenFolder.open(place.into);
      const archive = Readable.from([await archiveOf([root, lying(lie)])]);
      expect(await extract(archive, { into, name: 'copy', trusted: false })).toMatchObject({ entries: 2 });
    },
  );

  test('is refused also in pieces of one byte', async () => {
    const archive = await archiveOf([root, lying({ map: '2\n0\n3\n2\n1\n' })]);
    const bytes = Readable.from([...archive].map((byte) => Buffer.from([byte])));
    await expect(extractInto(place.into, bytes)).rejects.toMatchObject({ code: 'refused-policy' });
  });

  test('twin: without a lie it is a file, also in pieces of one byte', async () => {
    const archive = await archiveOf([root, lying({ map: '2\n10\n2\n999\n1\n', data: 'abc' })]);
    const expected = Buffer.alloc(1000);
    expected.write('ab', 10);
    expected.write('c', 999);
    await extractInto(place.into, Readable.from([...archive].map((byte) => Buffer.from([byte]))));
    expect(readFileSync(join(place.into, 'copy/file')).equals(expected)).toBe(true);
  });

  test('that is cut short leaves no file', async () => {
    const archive = await archiveOf([root, lying({ map: '1\n0\n4\n' })]);
    for (const length of [archive.indexOf('1\n0') + 3, archive.indexOf('evil') + 2])
      await expect(extractInto(place.into, archive.subarray(0, length))).rejects.toThrow();
    expect(readdirSync(join(place.into, 'copy'))).toEqual([]);
  });
});
