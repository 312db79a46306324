/** The guests that a workspace server serves. */
import type { Log } from '../../log.ts';
import { Layer } from '../layer/layer.ts';
import type { Attach, Request, Watched } from '../protocol/messages.ts';
import { explainPath } from '../server/explain-path.ts';
import { projectPolicy } from '../server/project-policy.ts';
import { ServedGuest } from '../server/served-guest.ts';
import { openVolume, type Volume } from '../server/tables/volume.ts';
import { takeOutOfLayer } from '../server/take-out.ts';
import { HostWatches } from '../watch/host-watches.ts';
import { type Policies, policiesOf, release } from './policies.ts';

interface Guest {
  served: ServedGuest;
  watched: Watched;
  volume: Volume;
  /** By the name of the folder */
  layers: Map<string, Layer>;
  policies: Policies;
}

export class ServedGuests {
  readonly #guests = new Map<string, Guest>();
  readonly #watches = new HostWatches();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#guests.size;
  }

  list(): { id: string; connected: boolean; watched: Watched }[] {
    return [...this.#guests].map(([id, { served, watched }]) => ({
      id,
      connected: served.session !== undefined,
      watched,
    }));
  }

  /** @throws Errno when a folder cannot be opened */
  attach(request: Attach): void {
    const known = this.#guests.get(request.id);
    if (known === undefined) {
      this.#guests.set(request.id, this.#serve(request));
      return;
    }
    const before = known.policies;
    known.policies = policiesOf(known.volume, request.folders, before);
    if (isOther(before, known.policies)) known.served.session?.invalidateAll();
    release(before, known.policies);
  }

  /** @throws Error for a guest or a folder that is not served */
  async explain({ id, folder, path }: Extract<Request, { op: 'explain' }>) {
    const guest = this.#guests.get(id);
    const root = guest?.volume.roots.find(({ name }) => name === folder);
    const policy = guest?.policies.get(folder);
    if (root === undefined || policy === undefined) throw new Error(`not served: ${id} ${folder}`);
    const {
      read,
      write,
      lines,
      hint,
      path: clean,
    } = await explainPath(root, { ...policy, layer: guest?.layers.get(folder) }, path);
    return { path: clean, read: read.verdict, write: write.verdict, lines, ...(hint === undefined ? {} : { hint }) };
  }

  /** @throws Error for a guest or a folder that is not served */
  takeOut({ id, folder, path }: Extract<Request, { op: 'take-out' }>): void {
    const guest = this.#guests.get(id);
    const layer = guest?.layers.get(folder);
    if (guest === undefined || layer === undefined) throw new Error(`not served: ${id} ${folder}`);
    if (guest.served.session === undefined) takeOutOfLayer(layer, path);
    else guest.served.session.takeOut(layer, { root: folder, path });
  }

  async detach(id: string): Promise<void> {
    const guest = this.#guests.get(id);
    if (guest === undefined) return;
    this.#guests.delete(id);
    await guest.served[Symbol.asyncDispose]();
    release(guest.policies);
    for (const layer of guest.layers.values()) layer[Symbol.dispose]();
    guest.volume[Symbol.dispose]();
  }

  async suspend(id: string): Promise<void> {
    await this.#guests.get(id)?.served.suspend();
    await this.detach(id);
  }

  #serve({ id, link, mailbox, stateFile, folders }: Attach): Guest {
    const volume = openVolume(folders.map(({ name, path }) => ({ name, path })));
    const layers = new Map(
      folders.flatMap(({ name, layer }) => (layer === undefined ? [] : [[name, new Layer({ path: layer })]])),
    );
    const policy = projectPolicy(volume, (name) => guest.policies.get(name), layers);
    const coherence = {
      watches: this.#watches,
      onWatched: (watched: Watched) => {
        if (watched !== 'all') this.#log.warn(`watched on the host: ${watched} of the folders that guest ${id} uses`);
        guest.watched = watched;
      },
    };
    const guest: Guest = {
      watched: 'all',
      volume,
      layers,
      policies: policiesOf(volume, folders),
      served: new ServedGuest(volume, { link, mailbox, stateFile, layers, coherence, log: this.#log, ...policy }),
    };
    return guest;
  }
}

/** Policies that did not change are the same objects. */
function isOther(before: Policies, after: Policies): boolean {
  return before.size !== after.size || [...after].some(([name, policy]) => before.get(name) !== policy);
}
