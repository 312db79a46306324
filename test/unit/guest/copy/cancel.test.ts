/** Copies that end in the middle: what is left of them, and whose the lane is meanwhile. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SbxError } from '../../../../lib/errors.ts';
import { get as sendOut, put as takeIn } from '../../../../lib/guest/agent/copy.ts';
import { GuestMailbox } from '../../../../lib/guest/agent/guest-mailbox.ts';
import type { Opener } from '../../../../lib/guest/client/copy-stream.ts';
import { get, put } from '../../../../lib/guest/client/transfer.ts';
import { LANES, Lane } from '../../../../lib/guest/copy/lane.ts';
import { type Meter, newMeter } from '../../../../lib/guest/copy/types.ts';
import { withoutControl } from './control-off.ts';
import { agentWith, connectTo, freeLanes, gate, makeMailbox, PATIENT, USER } from './lanes-rig.ts';
import { treeOf, usePlace } from './rig.ts';

const place = usePlace();
/** More than the slots of a lane hold */
const LARGE = 6 * LANES.slotBytes;
const LIMIT = 3 * LANES.slotBytes;
let path: string;
let mailbox: GuestMailbox;

beforeEach(() => {
  path = join(place.dir, 'mailbox');
  makeMailbox(path);
  mailbox = new GuestMailbox(() => path);
});
afterEach(() => void vi.restoreAllMocks());

/** Aborts once so much has been moved. */
function abortAt(limit: number): { signal: AbortSignal; meter: Meter } {
  const stop = new AbortController();
  const meter = newMeter();
  let moved = 0;
  Object.defineProperty(meter, 'moved', {
    get: () => moved,
    set: (value: number) => {
      moved = value;
      if (moved > limit) stop.abort(new SbxError('cancelled', 'cancelled'));
    },
  });
  return { signal: stop.signal, meter };
}

const leftovers = (folder: string) => readdirSync(folder, { recursive: true }).map(String).toSorted();

describe.each([
  ['in', put],
  ['out', get],
])('a copy %s that is cancelled in the middle', (_way, copy) => {
  test.each([
    ['the mailbox', () => path],
    ['the port', () => undefined],
  ])('through %s leaves nothing of a file, and the lanes are free for the next one', async (_name, way) => {
    const from = join(place.dir, 'from');
    writeFileSync(from, randomBytes(LARGE));
    const options = { from, to: join(place.into, 'copy'), user: USER, mailbox: way() };
    const cancelled = copy(connectTo(agentWith(mailbox)), { ...options, ...abortAt(LIMIT) });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => leftovers(place.into), PATIENT).toEqual([]);
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
    const guest = connectTo(agentWith(mailbox));
    await copy(guest, { ...options, mailbox: path });
    expect(guest.portBytes()).toBe(0);
    expect(readFileSync(options.to).equals(readFileSync(from))).toBe(true);
  });

  test('keeps of a folder what is whole, and nothing else', async () => {
    const from = join(place.dir, 'from');
    mkdirSync(from);
    for (const name of ['a', 'b', 'c']) writeFileSync(join(from, name), randomBytes(2 * LANES.slotBytes));
    writeFileSync(join(from, 'z'), randomBytes(LARGE));
    const { signal, meter } = abortAt(5 * LANES.slotBytes);
    const to = join(place.into, 'copy');
    const options = { from, to, user: USER, mailbox: path, signal, meter };
    await expect(copy(connectTo(agentWith(mailbox)), options)).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
    await expect.poll(() => leftovers(place.into).filter((name) => name.includes('.sbx-cp-')), PATIENT).toEqual([]);
    const kept = leftovers(to);
    for (const name of kept) expect(readFileSync(join(to, name)).equals(readFileSync(join(from, name)))).toBe(true);
    expect(kept).not.toContain('z');
    if (copy === get) expect(meter.entries).toBe(1 + kept.length);
  });

  test('before it starts does nothing', async () => {
    const signal = AbortSignal.abort(new SbxError('cancelled', 'cancelled'));
    writeFileSync(join(place.dir, 'from'), '');
    const options = { from: join(place.dir, 'from'), to: join(place.into, 'copy'), user: USER, mailbox: path, signal };
    await expect(copy(connectTo(agentWith(mailbox)), options)).rejects.toMatchObject({ code: 'cancelled' });
    expect(leftovers(place.into)).toEqual([]);
  });
});

describe('while the host still writes into its lane, no other copy has it', () => {
  /** The second write of the host waits for the gate. */
  function holdSecondWrite(prototype: Lane) {
    const [end, begin] = [gate(), gate()];
    const { write } = prototype;
    let writes = 0;
    vi.spyOn(prototype, 'write').mockImplementation(async function (this: Lane, slot, length) {
      writes += 1;
      if (writes === 2) begin.open();
      if (writes === 2) await end.opened;
      return write.call(this, slot, length);
    });
    return { open: end.open, started: begin.opened };
  }

  const options = () => ({ from: join(place.dir, 'from'), to: place.into, user: USER, mailbox: path });
  beforeEach(() => writeFileSync(join(place.dir, 'from'), randomBytes(LARGE)));

  test('of a copy that is cancelled', async () => {
    const held = holdSecondWrite(Lane.prototype);
    const stop = new AbortController();
    const copying = put(connectTo(agentWith(mailbox)), { ...options(), signal: stop.signal });
    copying.catch(() => {});
    await held.started;
    stop.abort(new SbxError('cancelled', 'cancelled'));
    await settle();
    expect(await freeLanes(mailbox)).toBe(LANES.count - 1);
    held.open();
    await expect(copying).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
  });

  test('of a copy that the guest ends', async () => {
    mkdirSync(join(place.into, 'from'));
    const held = holdSecondWrite(Lane.prototype);
    // The host hears of it while it writes.
    const copying = put(holding(connectTo(agentWith(mailbox)), held.started), options());
    copying.catch(() => {});
    await held.started;
    await settle();
    expect(await freeLanes(mailbox)).toBe(LANES.count - 1);
    held.open();
    await expect(copying).rejects.toMatchObject({ code: 'refused-policy' });
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
  });

  test('twin: a host that cancels at once writes into a free lane', async () => {
    const other = await withoutControl(
      'client/copy-stream.ts',
      "void link.settled().then(() => stream.reset('the client cancelled the copy'));",
      "stream.reset('at once');",
    );
    const held = holdSecondWrite(other.Lane.prototype);
    const stop = new AbortController();
    const copying = other.put(connectTo(agentWith(mailbox)), { ...options(), signal: stop.signal });
    copying.catch(() => {});
    await held.started;
    stop.abort(new Error('cancelled'));
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
    held.open();
    await copying.catch(() => {});
  });

  test('twin: a guest that does not wait for the host gives it away', async () => {
    const other = await withoutControl('agent/copy.ts', 'await reset.promise;');
    mkdirSync(join(place.into, 'from'));
    const held = holdSecondWrite(Lane.prototype);
    const agent = connectTo((stream, _service, body) => other.takeIn(stream, body as never, mailbox));
    const copying = put(holding(agent, held.started), options());
    copying.catch(() => {});
    await held.started;
    await expect.poll(() => freeLanes(mailbox), PATIENT).toBe(LANES.count);
    held.open();
    await copying.catch(() => {});
  });
});

describe('until the host has read all of its lane, no other copy has it', () => {
  async function copyBoth(send: typeof sendOut): Promise<boolean> {
    const agent = () =>
      connectTo((stream, service, body) =>
        service === 'put' ? takeIn(stream, body as never, mailbox) : send(stream, body as never, { mailbox, perl: [] }),
      );
    const names = ['one', 'two'].map((name) => join(place.dir, name));
    for (const name of names) writeFileSync(name, randomBytes(2 * LANES.slotBytes));
    const [one = '', two = ''] = names;
    const { opened, open } = gate();
    const slow = holding(agent(), opened);
    const options = { user: USER, mailbox: path };
    const first = get(slow, { ...options, from: one, to: join(place.into, 'one') });
    // With the header of the archive and its end: 3 slots.
    await expect.poll(slow.held, PATIENT).toBe(3);
    await settle();
    await get(agent(), { ...options, from: two, to: join(place.into, 'two') });
    open();
    await first.catch(() => {});
    expect(treeOf(join(place.into, 'two'))).toEqual(treeOf(two));
    const arrived = join(place.into, 'one');
    return existsSync(arrived) && readFileSync(arrived).equals(readFileSync(one));
  }

  test('so each copy gets its own data', async () => {
    expect(await copyBoth(sendOut)).toBe(true);
  });

  test('twin: a guest that does not wait has another copy write over it', async () => {
    const other = await withoutControl('agent/copy.ts', 'await sender?.finish();', 'await sender?.flush();');
    expect(await copyBoth(other.sendOut)).toBe(false);
  });
});

/** What the guest says after its lane waits for the gate. */
function holding(guest: Opener, opened: Promise<void>): Opener & { held: () => number } {
  let held = 0;
  return {
    held: () => held,
    openRaw: (service, body, events) =>
      guest.openRaw(service, body, {
        ...events,
        onControl: (message) => {
          if ((message as object | null) !== null && 'lane' in (message as object)) return events.onControl(message);
          held += 1;
          void opened.then(() => events.onControl(message));
        },
        onClose: (result) => void opened.then(() => events.onClose(result)),
      }),
  };
}

/** Lets everything happen that needs no further event. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
