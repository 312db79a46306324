/** Each check of a lane against a hostile guest, and its twin: the same attack without the check. */
import { ftruncateSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { get, put } from '../../../../lib/guest/client/transfer.ts';
import { LANES, Lane, MAILBOX_BYTES } from '../../../../lib/guest/copy/lane.ts';
import { LaneReceiver } from '../../../../lib/guest/copy/lane-receiver.ts';
import { DISCARD } from '../../../../lib/guest/protocol/mux.ts';
import { type Copies, withoutControl } from './control-off.ts';
import { type Agent, connectTo, gate, makeMailbox, PATIENT, USER } from './lanes-rig.ts';
import { archiveOf, file, root, usePlace } from './rig.ts';

const place = usePlace();
const { slotBytes } = LANES;
let mailbox: string;

beforeEach(() => {
  mailbox = join(place.dir, 'mailbox');
  makeMailbox(mailbox);
  writeFileSync(join(place.dir, 'from'), Buffer.alloc(6 * slotBytes, 'data of the host '));
});
afterEach(() => void vi.restoreAllMocks());

/** Says this, and answers all else with silence. */
const saying =
  (...messages: unknown[]): Agent =>
  (stream) => {
    for (const message of messages) stream.control(message);
    return DISCARD;
  };

/** Says this, and closes with success. */
const closing =
  (...messages: unknown[]): Agent =>
  (stream) => {
    for (const message of messages) stream.control(message);
    stream.close({ entries: 1, bytes: 1, skipped: [] });
    return DISCARD;
  };

const fetched = (agent: Agent, copy: Copies['get'] = get) =>
  copy(connectTo(agent), { from: '/x', to: join(place.into, 'copy'), user: USER, mailbox });
const sent = (agent: Agent, options: { copy?: Copies['put']; signal?: AbortSignal } = {}) =>
  (options.copy ?? put)(connectTo(agent), {
    from: join(place.dir, 'from'),
    to: '/x',
    user: USER,
    mailbox,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });

async function placeAt(position: number, content: Buffer): Promise<void> {
  const handle = await open(mailbox, 'r+');
  await handle.write(content, 0, content.length, position);
  await handle.close();
}

const INVALID_SLOT = 'if (!isWithin(slot, 0, LANES.slots - 1)) throw invalid();';
const INVALID_LENGTH = 'if (length !== undefined && !isWithin(length, 1, LANES.slotBytes)) throw invalid();';

describe('a slot out of range', () => {
  // The slot before the first lane belongs to the workspace; the one after the last, to the other lane.
  const around = [LANES.slots, -1];

  test.each(around)('(%i) gives a copy nothing of what is there', async (slot) => {
    const archive = await archiveOf([root, file('of-another-copy')]);
    await placeAt(LANES.at + slot * slotBytes, archive);
    await expect(fetched(closing({ lane: 0 }, { slot, length: archive.length }))).rejects.toMatchObject({
      code: 'guest-failed',
      why: 'a message about its mailbox is invalid',
    });
  });

  test.each(around)('(%i) twin: without the check it is read', async (slot) => {
    const { get: other } = await withoutControl('copy/lane.ts', INVALID_SLOT);
    const archive = await archiveOf([root, file('of-another-copy')]);
    await placeAt(LANES.at + slot * slotBytes, archive);
    await fetched(closing({ lane: 0 }, { slot, length: archive.length }), other);
    expect(readFileSync(join(place.into, 'copy/of-another-copy'), 'utf8')).toBe('evil');
  });

  test('that is released ends the copy, and the file does not grow', async () => {
    await expect(sent(saying({ lane: 1 }, { slot: 1000 }))).rejects.toMatchObject({ code: 'guest-failed' });
    expect(statSync(mailbox).size).toBe(MAILBOX_BYTES);
  });

  test('twin: without the check it is written to, beyond the end of the file', async () => {
    const { put: other } = await withoutControl('copy/lane.ts', INVALID_SLOT);
    const stop = new AbortController();
    const copying = sent(saying({ lane: 1 }, { slot: 1000 }), { copy: other, signal: stop.signal });
    await expect.poll(() => statSync(mailbox).size, PATIENT).toBeGreaterThan(MAILBOX_BYTES);
    stop.abort(new Error('enough'));
    await copying.catch(() => {});
  });
});

describe('a length beyond the slot', () => {
  const wrong = [slotBytes + 1, 0, -1, 0.5, 2 ** 53];

  test.each(wrong)('(%d) ends the copy', async (length) => {
    await expect(fetched(closing({ lane: 0 }, { slot: 0, length }))).rejects.toMatchObject({
      why: 'a message about its mailbox is invalid',
    });
  });

  test('twin: without the check, a negative one hands out what memory holds', async () => {
    const { Lane: Other, slotMessage } = await withoutControl('copy/lane.ts', INVALID_LENGTH);
    const handle = await open(mailbox, 'r+');
    const lane = new Other({ file: handle, lane: 0, buffer: Buffer.alloc(slotBytes, 'of an earlier copy') });
    const { slot, length = 0 } = slotMessage({ slot: 0, length: -1 });
    expect((await lane.read(slot, length)).toString()).toContain('of an earlier copy');
    await handle.close();
  });
});

describe('a lane that there is not', () => {
  test.each([LANES.count, -1, 0.5, '0', null])('(%j) is not used: the copy goes through the port', async (lane) => {
    const before = readFileSync(mailbox);
    const stop = new AbortController();
    const guest = connectTo(saying({ lane }));
    const options = { from: join(place.dir, 'from'), to: '/x', user: USER, mailbox, signal: stop.signal };
    const copying = put(guest, options);
    await expect.poll(guest.portBytes, PATIENT).toBeGreaterThan(0);
    stop.abort(new Error('enough'));
    await copying.catch(() => {});
    expect(readFileSync(mailbox).equals(before)).toBe(true);
  });

  test.each([LANES.count, -1])('(%i) twin: without the check it is written to', async (lane) => {
    const check = 'return isWithin(lane, 0, LANES.count - 1) ? lane : undefined;';
    const { put: other } = await withoutControl('copy/lane.ts', check, 'return lane as number;');
    const before = readFileSync(mailbox);
    const stop = new AbortController();
    const copying = sent(saying({ lane }), { copy: other, signal: stop.signal });
    const changed = () => {
      const now = readFileSync(mailbox);
      return now.length > before.length || !now.subarray(0, LANES.at).equals(before.subarray(0, LANES.at));
    };
    await expect.poll(changed, PATIENT).toBe(true);
    stop.abort(new Error('enough'));
    await copying.catch(() => {});
  });
});

describe('a mailbox that is cut short under a copy', () => {
  const EARLY = "if (bytesRead < length) throw new Failure('guest-failed', 'the mailbox ended early');";

  async function readAfterCut(Used: typeof Lane): Promise<string> {
    await placeAt(LANES.at, Buffer.alloc(1024, 'first'));
    await using handle = await open(mailbox, 'r+');
    const lane = new Used({ file: handle, lane: 0, buffer: Buffer.alloc(slotBytes) });
    await lane.read(0, 1024);
    truncateSync(mailbox, LANES.at);
    return (await lane.read(0, 1024)).toString();
  }

  test('ends it', async () => {
    await expect(readAfterCut(Lane)).rejects.toThrow('the mailbox ended early');
  });

  test('twin: without the check it gets what was there before', async () => {
    const { Lane: Other } = await withoutControl('copy/lane.ts', EARLY);
    expect(await readAfterCut(Other)).toContain('first');
  });
});

describe('what was read', () => {
  async function readTwice(Used: typeof Lane): Promise<string> {
    await using handle = await open(mailbox, 'r+');
    const lane = new Used({ file: handle, lane: 0, buffer: Buffer.alloc(slotBytes) });
    await placeAt(LANES.at, Buffer.from('as announced'));
    const first = await lane.read(0, 12);
    await placeAt(LANES.at, Buffer.from('as changed!!'));
    await lane.read(0, 12);
    return first.toString();
  }

  test('stays as it was when the slot changes and is read again', async () => {
    expect(await readTwice(Lane)).toBe('as announced');
  });

  test('twin: without a copy of its own it changes', async () => {
    const copied = 'return Buffer.from(buffer.subarray(0, length));';
    const { Lane: Other } = await withoutControl('copy/lane.ts', copied, 'return buffer.subarray(0, length);');
    expect(await readTwice(Other)).toBe('as changed!!');
  });
});

/** A receiver whose reads of slots wait for their gates, and what it passes on. */
function receiverWith(Receiver: typeof LaneReceiver, opened: (slot: number) => Promise<void>) {
  const reads: number[] = [];
  const passed: string[] = [];
  const released: number[] = [];
  const lane = {
    read: async (slot: number) => {
      reads.push(slot);
      await opened(slot);
      return Buffer.from(`${slot}`);
    },
  } as unknown as Lane;
  const write = (data: Buffer, done: () => void) => {
    passed.push(String(data));
    done();
  };
  const output = { write, destroy: () => {} };
  const receiver = new Receiver({ lane, output: output as never, release: ({ slot }) => released.push(slot) });
  return { receiver, reads, passed, released };
}

describe('a slot that is announced again before it was released', () => {
  const TWICE = 'length === undefined || this.#pending.has(slot)';

  test('ends the copy: no more is waiting than there are slots', async () => {
    const { opened, open: openGate } = gate();
    const { receiver, reads } = receiverWith(LaneReceiver, () => opened);
    for (let slot = 0; slot < LANES.slots; slot += 1) receiver.receive({ slot, length: 1 });
    for (let flood = 0; flood < 10_000; flood += 1)
      expect(() => receiver.receive({ slot: flood % LANES.slots, length: 1 })).toThrow('announced twice');
    openGate();
    await receiver.drained();
    expect(reads).toEqual([0, 1, 2, 3]);
  });

  test('is as good as new once it was released', async () => {
    const { receiver, passed, released } = receiverWith(LaneReceiver, async () => {});
    for (let round = 0; round < 3; round += 1) {
      receiver.receive({ slot: 2, length: 1 });
      await receiver.drained();
    }
    expect([passed, released]).toEqual([
      ['2', '2', '2'],
      [2, 2, 2],
    ]);
  });

  test('twin: without the check the flood is queued', async () => {
    const { LaneReceiver: Other } = await withoutControl('copy/lane-receiver.ts', TWICE, 'length === undefined');
    const { opened, open: openGate } = gate();
    const { receiver, reads } = receiverWith(Other, () => opened);
    for (let flood = 0; flood < 10_000; flood += 1) receiver.receive({ slot: 0, length: 1 });
    openGate();
    await receiver.drained();
    expect(reads.length).toBe(10_000);
  });

  test('ends a copy of a real client, which reads no further', async () => {
    const { opened, open: openGate } = gate();
    const { read } = Lane.prototype;
    let reads = 0;
    vi.spyOn(Lane.prototype, 'read').mockImplementation(async function (this: Lane, slot, length) {
      reads += 1;
      await opened;
      return read.call(this, slot, length);
    });
    const flood = Array.from({ length: 1000 }, () => ({ slot: 0, length: 512 }));
    const copying = fetched(saying({ lane: 0 }, ...flood));
    copying.catch(() => {});
    await expect.poll(() => reads, PATIENT).toBe(1);
    openGate();
    await expect(copying).rejects.toThrow(/announced twice/);
    expect(reads).toBe(1);
  });
});

describe('slots out of order', () => {
  const ORDER = [3, 1, 0, 2];
  /** The first one takes longest. */
  const slowFirst = () => {
    const gates = new Map(ORDER.map((slot) => [slot, gate()]));
    const openInTurn = async () => {
      for (const slot of ORDER.toReversed()) {
        gates.get(slot)?.open();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return { opened: (slot: number) => gates.get(slot)?.opened ?? Promise.resolve(), openInTurn };
  };

  test('are passed on in the order of their announcements', async () => {
    const { opened, openInTurn } = slowFirst();
    const { receiver, passed, released } = receiverWith(LaneReceiver, opened);
    for (const slot of ORDER) receiver.receive({ slot, length: 1 });
    await openInTurn();
    await receiver.drained();
    expect([passed.map(Number), released]).toEqual([ORDER, ORDER]);
  });

  test('twin: without a queue, as they are read', async () => {
    const { LaneReceiver: Other } = await withoutControl(
      'copy/lane-receiver.ts',
      'this.#work = this.#work.then(() => this.#pass(slot, length));',
      'this.#work = Promise.all([this.#work, this.#pass(slot, length)]).then(() => {});',
    );
    const { opened, openInTurn } = slowFirst();
    const { receiver, passed } = receiverWith(Other, opened);
    for (const slot of ORDER) receiver.receive({ slot, length: 1 });
    await openInTurn();
    await receiver.drained();
    expect(passed.map(Number)).toEqual(ORDER.toReversed());
  });

  test('that are released so are used again', async () => {
    const released: number[] = [];
    const seen: Buffer[] = [];
    const copy = await open(mailbox, 'r');
    const reader = new Lane({ file: copy, lane: 0, buffer: Buffer.alloc(slotBytes) });
    // Releases the slots of each round in reverse.
    const agent: Agent = (stream) => {
      let held: number[] = [];
      let work = Promise.resolve();
      stream.control({ lane: 0 });
      const giveBack = () => {
        for (const slot of held.toReversed()) {
          released.push(slot);
          stream.control({ slot });
        }
        held = [];
      };
      return {
        ...DISCARD,
        onControl: (message) => {
          const { slot, length } = message as { slot: number; length: number };
          work = work.then(async () => {
            seen.push(await reader.read(slot, length));
            held.push(slot);
            if (held.length === LANES.slots) giveBack();
          });
        },
        onEnd: () => void work.then(() => stream.close({ entries: 1, bytes: 1, skipped: [] })),
      };
    };
    await sent(agent);
    await copy.close();
    expect(released.slice(0, LANES.slots)).toEqual([3, 2, 1, 0]);
    expect(Buffer.concat(seen).includes(readFileSync(join(place.dir, 'from')))).toBe(true);
  });
});

describe('a slot that was not handed over', () => {
  const FREE =
    "if (this.#free.has(slot)) throw new Failure('guest-failed', 'a free slot of the mailbox was released');";

  test.each([
    ['never', [{ slot: 0 }]],
    ['not for the second time', [{ slot: 3 }, { slot: 3 }]],
  ])('and is released ends the copy (%s)', async (_name, messages) => {
    await expect(sent(saying({ lane: 0 }, ...messages))).rejects.toThrow(/free slot of the mailbox was released/);
  });

  test('a second release of one that was handed over ends the copy', async () => {
    let announced = 0;
    const agent: Agent = (stream) => {
      stream.control({ lane: 0 });
      return {
        ...DISCARD,
        onControl: () => {
          announced += 1;
          // All are handed over: one is given back, and again before it can be filled.
          if (announced === LANES.slots) for (const slot of [1, 2, 2]) stream.control({ slot });
        },
      };
    };
    await expect(sent(agent)).rejects.toThrow(/free slot of the mailbox was released/);
  });

  test('twin: without the check nothing ends the copy', async () => {
    const { put: other } = await withoutControl('copy/lane-sender.ts', FREE);
    let announced = 0;
    const count = () => {
      announced += 1;
    };
    const stop = new AbortController();
    const agent: Agent = (stream) => {
      for (const message of [{ lane: 0 }, { slot: 0 }, { slot: 0 }]) stream.control(message);
      return { ...DISCARD, onControl: count };
    };
    const copying = sent(agent, { copy: other, signal: stop.signal });
    copying.catch(() => {});
    await expect.poll(() => announced, PATIENT).toBe(LANES.slots);
    stop.abort(new Error('enough'));
    await expect(copying).rejects.toThrow('enough');
  });

  test('a guest that releases nothing gets no more than the slots hold, and the copy can be cancelled', async () => {
    let announced = 0;
    const count = () => {
      announced += 1;
    };
    const stop = new AbortController();
    const agent: Agent = (stream) => {
      stream.control({ lane: 0 });
      return { ...DISCARD, onControl: count };
    };
    const copying = sent(agent, { signal: stop.signal });
    copying.catch(() => {});
    await expect.poll(() => announced, PATIENT).toBe(LANES.slots);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(announced).toBe(LANES.slots);
    stop.abort(new Error('enough'));
    await expect(copying).rejects.toThrow('enough');
  });
});

describe('the file of the mailbox', () => {
  const CHECK = 'stat?.isFile() === true && stat.nlink === 1 && stat.size === MAILBOX_BYTES';

  test('twin: without O_NOFOLLOW a link is followed', async () => {
    const victim = join(place.outside, 'victim');
    writeFileSync(victim, '');
    truncateSync(victim, MAILBOX_BYTES);
    const link = join(place.dir, 'link');
    symlinkSync(victim, link);
    const { openHostMailbox } = await withoutControl(
      'client/host-mailbox.ts',
      'O_RDWR | O_NOFOLLOW | O_NONBLOCK',
      'O_RDWR | O_NONBLOCK',
    );
    const opened = await openHostMailbox(link);
    expect((await opened?.stat())?.ino).toBe(statSync(victim).ino);
    await opened?.close();
  });

  test.each([
    ['nlink', 'stat?.isFile() === true && stat.size === MAILBOX_BYTES'],
    ['size', 'stat?.isFile() === true && stat.nlink === 1'],
  ])('twin: without the check of its %s another file is opened', async (control, instead) => {
    const { linkSync } = await import('node:fs');
    const other = join(place.dir, 'other');
    if (control === 'nlink') linkSync(mailbox, other);
    else {
      const handle = await open(other, 'w+');
      ftruncateSync(handle.fd, 10);
      await handle.close();
    }
    const { openHostMailbox } = await withoutControl('client/host-mailbox.ts', CHECK, instead);
    const opened = await openHostMailbox(other);
    expect(opened).toBeDefined();
    await opened?.close();
  });
});
