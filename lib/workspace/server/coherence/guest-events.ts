/** Lets the guest's kernel tell its watchers of the host's changes: a process inside repeats each change, and the server takes it as done. */

import type { RequestHeader } from '../fuse/frames.ts';
import { encodeOrder } from '../fuse/notify.ts';
import { Errno } from '../sys/errno.ts';
import { type Link, ROOT_NODE_ID } from '../tables/node.ts';
import { namesOf } from '../tables/nodes.ts';
import type { ServerState } from '../tables/state.ts';
import type { Answer } from './coherence.ts';
import { answerRepeat, type Repeats } from './guest-repeats.ts';
import type { HostEdit } from './host-change.ts';
import type { Order } from './order.ts';

/** Changes that wait to be repeated. More of them, as by a checkout of a large branch, raise no events. */
const QUEUE_MAX = 1000;

/** Orders that the process has and has not finished */
const WINDOW = 8;

/** Longest path that is ordered, in bytes; the kernel takes 4,096 with the mount point */
const PATH_MAX = 3900;

/** Letters of the orders, by kind of the file */
const CREATED = { file: 'F', directory: 'D', symlink: 'L', other: undefined };

export class GuestEvents implements Repeats {
  readonly state: ServerState;
  readonly #send: (message: Buffer) => void;
  /** By place, so that several changes of one file count once */
  readonly #queue = new Map<string, Order>();
  readonly outstanding = new Map<number, Order>();
  #pid = 0;
  #next = 1;

  constructor(state: ServerState, send: (message: Buffer) => void) {
    this.state = state;
    this.#send = send;
  }

  /** The process inside that repeats changes; 0: none, or no longer */
  announce(pid: number): void {
    this.#pid = pid;
    for (const order of [...this.#queue.values(), ...this.outstanding.values()]) this.#release(order);
    this.#queue.clear();
    this.outstanding.clear();
  }

  add(edits: HostEdit[]): void {
    if (this.#pid === 0) return;
    for (const order of ordersOf(edits)) {
      const key = `${order.folder.id}/${order.name}`;
      const older = this.#queue.get(key);
      if (older === undefined && this.#queue.size >= QUEUE_MAX) continue;
      // The kernel forgets a removed file at once: it must be known until it is removed inside.
      if (order.node !== undefined) order.node.lookups++;
      this.#release(older);
      this.#queue.delete(key);
      this.#queue.set(key, order);
    }
    this.#pump();
  }

  /** Whatever that process asks changes nothing on the host. @returns 'other' for a request of another process */
  answer(header: RequestHeader, frame: Buffer): Answer | 'other' {
    if (this.#pid === 0 || header.pid !== this.#pid) return 'other';
    return answerRepeat(this, header, frame);
  }

  finished(number: number): void {
    this.#release(this.outstanding.get(number));
    if (this.outstanding.delete(number)) this.#pump();
  }

  #pump(): void {
    for (const [key, order] of this.#queue) {
      if (this.outstanding.size >= WINDOW) return;
      this.#queue.delete(key);
      const paths = this.#pathsOf(order);
      if (paths === undefined) {
        this.#release(order);
        continue;
      }
      const number = this.#next++;
      this.outstanding.set(number, order);
      this.#send(encodeOrder([`${number}`, order.letter, ...paths]));
    }
  }

  #release(order: Order | undefined): void {
    if (order?.node !== undefined) this.state.nodes.forget(order.node, 1);
  }

  /** From the mount point; undefined for a folder that has gone meanwhile, and for what is hidden */
  #pathsOf({ folder, name, kind, to }: Order): string[] | undefined {
    try {
      const places = [{ parent: folder, name }, ...(to === undefined ? [] : [to])];
      // Other rules may be in force by now.
      if (places.some((place) => this.state.gate.hides(place, { kind }, 'lookup'))) return undefined;
      const paths = places.map(pathOf);
      return paths.some((path) => path.length > PATH_MAX) ? undefined : paths;
    } catch (error) {
      if (error instanceof Errno) return undefined;
      throw error;
    }
  }
}

function pathOf(link: Link): string {
  const { start, names } = namesOf(link);
  // Several roots are folders of the mount.
  return (start.id === ROOT_NODE_ID ? names : [start.root?.name ?? '', ...names]).join('/');
}

/** Joins the two halves of a rename where the file is the same. */
function ordersOf(edits: HostEdit[]): Order[] {
  const orders: Order[] = [];
  const arrived = new Map<number, HostEdit>();
  for (const edit of edits) if (edit.type === 'created' && edit.cookie !== 0) arrived.set(edit.cookie, edit);
  const joined = new Set<HostEdit>();
  for (const edit of edits) {
    const to = edit.type === 'removed' && edit.cookie !== 0 ? arrived.get(edit.cookie) : undefined;
    if (to === undefined || to.kind !== edit.kind || edit.node === undefined) continue;
    joined.add(edit).add(to);
    orders.push({ ...edit, letter: 'N', to: { parent: to.folder, name: to.name } });
  }
  for (const edit of edits) {
    const letter = letterOf(edit);
    if (letter !== undefined && !joined.has(edit)) orders.push({ ...edit, letter, to: undefined });
  }
  return orders;
}

function letterOf({ type, kind }: HostEdit): string | undefined {
  if (type === 'created') return CREATED[kind];
  if (type === 'removed') return kind === 'directory' ? 'R' : 'U';
  if (kind !== 'file' && kind !== 'directory') return undefined;
  return type === 'content' && kind === 'file' ? 'M' : 'A';
}
