/** ClientHellos made by hand, so that they can be wrong in one place. */
export interface HelloParts {
  /** Undefined: no server name */
  sni?: string | undefined;
  /** Bytes of padding extension */
  padding?: number;
  /** Longest record's payload */
  recordSize?: number;
  /** Extensions as they are, behind the others */
  more?: Buffer[];
}

export function helloBytes({ sni, padding = 0, recordSize = 16_384, more = [] }: HelloParts): Buffer {
  const extensions = Buffer.concat([
    ...(sni === undefined ? [] : [serverName(sni)]),
    ...(padding > 0 ? [extension(21, Buffer.alloc(padding))] : []),
    ...more,
  ]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    sized16(Buffer.from([0x13, 0x01])),
    Buffer.from([1, 0]),
    sized16(extensions),
  ]);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  header[0] = 1;
  return inRecords(Buffer.concat([header, body]), recordSize);
}

export function serverName(name: string, type = 0): Buffer {
  return extension(0, sized16(Buffer.concat([Buffer.from([type]), sized16(Buffer.from(name, 'latin1'))])));
}

/** Two in one list: the first is looked at by some, the last by others. */
export function serverNames(...names: string[]): Buffer {
  const entries = names.map((name) => Buffer.concat([Buffer.from([0]), sized16(Buffer.from(name, 'latin1'))]));
  return extension(0, sized16(Buffer.concat(entries)));
}

export function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), sized16(content)]);
}

function sized16(bytes: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

function inRecords(message: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size)
    records.push(Buffer.from([22, 3, 1]), sized16(message.subarray(at, at + size)));
  return Buffer.concat(records);
}
