/** Files as a zip archive, uncompressed. */
import { crc32 } from 'node:zlib';

/** 1980-01-01, the first day that a zip knows */
const DAY = 0x0021;
const REGULAR_FILE = 0o100644;

export function zip(files: Record<string, string>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const [name, data] = [Buffer.from(path), Buffer.from(text)];
    const common = fields(
      [10, 2],
      [0, 2],
      [0, 2],
      [0, 2],
      [DAY, 2],
      [crc32(data), 4],
      [data.length, 4],
      [data.length, 4],
      [name.length, 2],
      [0, 2],
    );
    const entry = Buffer.concat([fields([0x04034b50, 4]), common, name, data]);
    const place = fields([0, 2], [0, 2], [0, 2], [REGULAR_FILE * 2 ** 16, 4], [offset, 4]);
    // Made on Unix: then its mode counts.
    central.push(Buffer.concat([fields([0x02014b50, 4], [0x0314, 2]), common, place, name]));
    local.push(entry);
    offset += entry.length;
  }
  const list = Buffer.concat(central);
  const count = central.length;
  const end = fields([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [list.length, 4], [offset, 4], [0, 2]);
  return Buffer.concat([...local, list, end]);
}

function fields(...all: [value: number, bytes: number][]): Buffer {
  return Buffer.concat(
    all.map(([value, bytes]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );
}
