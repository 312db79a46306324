/** The guest's side of the mailbox, past the page cache: the host changes it, too. */
import { constants, readdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { LANES, Lane } from '../copy/lane.ts';

export interface OpenLane extends AsyncDisposable {
  number: number;
  lane: Lane;
}

export class GuestMailbox {
  readonly #used = new Set<number>();
  readonly #find: () => string | undefined;

  constructor(find: () => string | undefined = findDevice) {
    this.#find = find;
  }

  /** Undefined: there is no mailbox, or each lane is in use */
  async openLane(): Promise<OpenLane | undefined> {
    const number = Array.from({ length: LANES.count }, (_, lane) => lane).find((lane) => !this.#used.has(lane));
    const path = this.#find();
    if (number === undefined || path === undefined) return undefined;
    this.#used.add(number);
    try {
      const file = await open(path, constants.O_RDWR | (path.startsWith('/dev/') ? constants.O_DIRECT : 0));
      const lane = new Lane({ file, lane: number, buffer: await alignedBuffer(file) });
      return {
        number,
        lane,
        [Symbol.asyncDispose]: async () => {
          await file.close();
          this.#used.delete(number);
        },
      };
    } catch {
      this.#used.delete(number);
      return undefined;
    }
  }
}

function findDevice(): string | undefined {
  const name = readdirSync('/sys/block').find((disk) => serialOf(disk) === 'sbx-mailbox');
  return name === undefined ? undefined : `/dev/${name}`;
}

function serialOf(disk: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${disk}/serial`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** O_DIRECT needs memory at a multiple of 512, and Node does not tell addresses: the kernel does. @throws when there is none */
async function alignedBuffer(file: FileHandle): Promise<Buffer> {
  const room = Buffer.allocUnsafeSlow(LANES.slotBytes + 512);
  for (let at = 0; at < 512; at += 8) {
    const buffer = room.subarray(at, at + LANES.slotBytes);
    const fits = await file.read(buffer, 0, 512, LANES.at).then(
      ({ bytesRead }) => bytesRead === 512,
      () => false,
    );
    if (fits) return buffer;
  }
  throw new Error('no aligned memory');
}
