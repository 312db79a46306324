/** Copies through a mailbox, between the client's side and the agent's, and what a hostile guest does to it. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { GuestMailbox } from '../../../../lib/guest/agent/guest-mailbox.ts';
import { openHostMailbox } from '../../../../lib/guest/client/host-mailbox.ts';
import { get, put } from '../../../../lib/guest/client/transfer.ts';
import { LANES, Lane, MAILBOX_BYTES } from '../../../../lib/guest/copy/lane.ts';
import { DISCARD } from '../../../../lib/guest/protocol/mux.ts';
import { type Agent, agentWith, connectTo, makeMailbox, USER } from './lanes-rig.ts';
import { archiveOf, file, root, treeOf, usePlace } from './rig.ts';

const place = usePlace();
let mailbox: string;
let from: string;

beforeEach(() => {
  mailbox = join(place.dir, 'mailbox');
  makeMailbox(mailbox);
  from = join(place.dir, 'from');
  mkdirSync(from);
});

function agent(): Agent {
  return agentWith(new GuestMailbox(() => mailbox));
}

/** More than the slots of a lane hold */
const LARGE = 5 * LANES.slotBytes + 12345;

function makeTree(large = LARGE): void {
  mkdirSync(join(from, 'deep/er'), { recursive: true });
  writeFileSync(join(from, 'large'), randomBytes(large));
  writeFileSync(join(from, 'deep/empty'), '');
  writeFileSync(join(from, 'deep/er/run'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync('deep/empty', join(from, 'link'));
}

describe('a copy', () => {
  test.each([
    ['in', put],
    ['out', get],
  ])('%s is whole, and only its announcements go through the port', async (_way, copy) => {
    makeTree();
    const guest = connectTo(agent());
    const result = await copy(guest, { from, to: join(place.into, 'copy'), user: USER, mailbox });
    expect(treeOf(join(place.into, 'copy'))).toEqual(treeOf(from));
    expect(result.skipped).toEqual([]);
    expect(guest.portBytes()).toBe(0);
  });

  test.each([
    ['in', put],
    ['out', get],
  ])('%s goes through the port without a mailbox on either side, and when each lane is in use', async (_way, copy) => {
    makeTree(1000);
    const busy = new GuestMailbox(() => mailbox);
    const lanes = [await busy.openLane(), await busy.openLane()];
    expect(lanes.length).toBe(LANES.count);
    const cases: [Agent, string | undefined][] = [
      [agent(), undefined],
      [agent(), join(place.dir, 'none')],
      [agentWith(new GuestMailbox(() => undefined)), mailbox],
      [agentWith(busy), mailbox],
    ];
    for (const [index, [other, path]] of cases.entries()) {
      const guest = connectTo(other);
      await copy(guest, { from, to: join(place.into, `copy${index}`), user: USER, mailbox: path });
      expect(treeOf(join(place.into, `copy${index}`))).toEqual(treeOf(from));
      expect(guest.portBytes()).toBeGreaterThan(1000);
    }
    for (const lane of lanes) await lane?.[Symbol.asyncDispose]();
  });

  test('has a lane of its own beside another one, and gives it back', async () => {
    makeTree();
    const shared = new GuestMailbox(() => mailbox);
    for (let round = 0; round < 2; round += 1) {
      const names = ['a', 'b'].map((name) => join(place.into, `${name}${round}`));
      const guests = names.map(() => connectTo(agentWith(shared)));
      await Promise.all(names.map((to, index) => get(guests[index] as never, { from, to, user: USER, mailbox })));
      for (const name of names) expect(treeOf(name)).toEqual(treeOf(from));
      for (const guest of guests) expect(guest.portBytes()).toBe(0);
    }
  });
});

describe('a hostile guest', () => {
  /** Says this after its lane, and closes with success. */
  const saying =
    (...messages: unknown[]): Agent =>
    (stream) => {
      for (const message of [{ lane: 0 }, ...messages]) stream.control(message);
      stream.close({ entries: 1, bytes: 1, skipped: [] });
      return DISCARD;
    };
  const fetch = (hostile: Agent) =>
    get(connectTo(hostile), { from: '/x', to: join(place.into, 'copy'), user: USER, mailbox });

  test.each([
    ['a slot that there is not', { slot: LANES.slots, length: 512 }],
    ['a slot before the first', { slot: -1, length: 512 }],
    ['a slot that is no number', { slot: '0', length: 512 }],
    ['a slot between two', { slot: 0.5, length: 512 }],
    ['more than a slot holds', { slot: 0, length: LANES.slotBytes + 1 }],
    ['less than nothing', { slot: 0, length: -1 }],
    ['nothing', { slot: 0, length: 0 }],
    ['no length', { slot: 0 }],
    ['no object', null],
    ['a second lane', { lane: 1 }],
  ])('that announces %s ends its copy', async (_name, message) => {
    await expect(fetch(saying(message))).rejects.toThrow();
    expect(existsSync(join(place.into, 'copy'))).toBe(false);
  });

  test('that changes a slot after its announcement changes nothing that the host has read', async () => {
    const archive = await archiveOf([root, file('a', 'as announced')]);
    const shared = await open(mailbox, 'r+');
    await shared.write(archive, 0, archive.length, LANES.at);
    const output: Buffer[] = [];
    const lane = new Lane({ file: shared, lane: 0, buffer: Buffer.alloc(LANES.slotBytes) });
    const first = await lane.read(0, archive.length);
    await shared.write(Buffer.alloc(archive.length, 'x'), 0, archive.length, LANES.at);
    output.push(first);
    // The buffer of the lane is used again: what was handed out is a copy.
    await lane.read(0, archive.length);
    expect(Buffer.concat(output).equals(archive)).toBe(true);
    await shared.close();
  });

  test('that lies about the archive is held to the rules of any archive', async () => {
    const archive = await archiveOf([root, file('../outside/evil')]);
    const shared = await open(mailbox, 'r+');
    await shared.write(archive, 0, archive.length, LANES.at);
    await shared.close();
    await expect(fetch(saying({ slot: 0, length: archive.length }))).rejects.toMatchObject({ code: 'refused-policy' });
    expect(existsSync(join(place.outside, 'evil'))).toBe(false);
  });

  test('that frees slots which it was not given ends its copy', async () => {
    makeTree();
    const hostile: Agent = (stream) => {
      for (const message of [{ lane: 0 }, { slot: 0 }]) stream.control(message);
      return DISCARD;
    };
    await expect(put(connectTo(hostile), { from, to: '/x', user: USER, mailbox })).rejects.toThrow(/released/);
  });
});

describe('what a guest that broke out of QEMU puts in the place of the mailbox', () => {
  const victim = () => join(place.outside, 'victim');

  beforeEach(() => {
    writeFileSync(victim(), '');
    truncateSync(victim(), MAILBOX_BYTES);
    renameSync(mailbox, `${mailbox}-own`);
  });

  test('twin: each of them could be opened, and a link would lead out', async () => {
    symlinkSync(victim(), mailbox);
    const followed = await open(mailbox, constants.O_RDWR | constants.O_NONBLOCK);
    expect((await followed.stat()).size).toBe(MAILBOX_BYTES);
    await followed.close();
  });

  test.each<[string, () => void]>([
    ['a symbolic link', () => symlinkSync(victim(), mailbox)],
    ['a hard link', () => linkSync(victim(), mailbox)],
    ['a FIFO', () => execFileSync('mkfifo', [mailbox])],
    ['a folder', () => mkdirSync(mailbox)],
    ['a file of another size', () => writeFileSync(mailbox, 'short')],
    ['nothing', () => {}],
  ])('%s is not opened, and the port carries the copy', async (_name, make) => {
    make();
    expect(await openHostMailbox(mailbox)).toBeUndefined();
    makeTree(1000);
    const guest = connectTo(agentWith(new GuestMailbox(() => undefined)));
    await put(guest, { from, to: join(place.into, 'copy'), user: USER, mailbox });
    expect(treeOf(join(place.into, 'copy'))).toEqual(treeOf(from));
    expect(readFileSync(victim()).every((byte) => byte === 0)).toBe(true);
  });

  test('the file itself is opened', async () => {
    const opened = await openHostMailbox(`${mailbox}-own`);
    expect(opened).toBeDefined();
    await opened?.close();
  });
});
