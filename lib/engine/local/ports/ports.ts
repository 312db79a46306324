/** Listens on the host for the ports of the running sandboxes: those of their specs and those that were published. */
import type { SbxError } from '../../../errors.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { Home } from '../../../paths.ts';
import { type PortRule, portKey, readPortBook, writePortBook } from '../../../state/port-book.ts';
import type { PortChange, PortState } from '../../engine.ts';
import { type Listener, listen } from './listener.ts';
import { explained, isSame, notPublished, textOf } from './port-errors.ts';
import { Tunnels, type Usage } from './tunnels.ts';

export interface PortsOptions {
  home: Home;
  connect: (id: string) => Promise<GuestConnection>;
  /** Name of a sandbox, for messages */
  nameOf: (id: string) => string;
  /** Most connections of one sandbox at a time */
  most?: number;
}

/** What a sandbox should have */
export interface WantedPorts {
  /** Of its applied spec */
  spec: readonly PortRule[];
  /** False: nothing is listened on */
  running: boolean;
}

interface HeldPorts {
  rules: PortRule[];
  signal: AbortSignal;
}

interface Entry {
  listener: Listener | undefined;
  tunnels: Tunnels;
  /** Why it could not be opened */
  error: SbxError | undefined;
}

interface Sandbox {
  usage: Usage;
  entries: Map<string, Entry>;
  /** For as long as a command runs. One that two commands want is here twice */
  held: PortRule[];
  /** The change under way */
  last: Promise<void>;
}

const MOST_CONNECTIONS = 256;

export class Ports implements Disposable {
  readonly #options: PortsOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  #ended = false;

  constructor(options: PortsOptions) {
    this.#options = options;
  }

  /** Opens what is missing and closes the rest. A port that cannot be opened is tried again by the next call. Never throws. */
  sync(id: string, wanted: WantedPorts): Promise<void> {
    const sandbox = this.#of(id);
    const done = sandbox.last
      // A failure is of this turn alone: the next call tries again.
      .then(() => this.#bring(id, sandbox, wanted).catch(() => {}))
      .then(() => {
        if (sandbox.last === done && sandbox.entries.size + sandbox.held.length === 0) this.#sandboxes.delete(id);
      });
    sandbox.last = done;
    return done;
  }

  /** Changes what is published, at once where it runs. @throws SbxError `port-taken`, `usage`, `not-found`; nothing is changed then. */
  async change(id: string, wantedNow: () => WantedPorts, { publish, unpublish }: PortChange): Promise<void> {
    const { home, nameOf } = this.#options;
    const wanted = wantedNow();
    const before = readPortBook(home, id);
    const isMeant = (one: PortRule, rule: PortRule) =>
      isSame(one, rule) || isSame(one, { ...rule, host: before.picked[portKey(rule)] ?? rule.host });
    const kept = before.published.filter((rule) => !unpublish.some((one) => isMeant(one, rule)));
    const missing = unpublish.find((one) => !before.published.some((rule) => isMeant(one, rule)));
    if (missing !== undefined) throw notPublished(missing, nameOf(id), wanted.spec);
    const known = new Set([...wanted.spec, ...kept].map(portKey));
    const added = publish.filter((rule) => !known.has(portKey(rule)));
    const published = [...kept, ...added];
    writePortBook(home, id, { ...before, published });
    await this.sync(id, wanted);
    const error = added.map((rule) => this.#of(id).entries.get(portKey(rule))?.error).find(Boolean);
    if (error === undefined) return;
    const now = readPortBook(home, id);
    const failed = new Set(added.map(portKey));
    const rest = now.published.filter((rule) => !failed.has(portKey(rule)));
    const removed = before.published.filter((rule) => !kept.includes(rule));
    writePortBook(home, id, { ...now, published: [...removed, ...rest] });
    await this.sync(id, wantedNow());
    throw error;
  }

  /** Opens more until `signal` aborts. @throws SbxError `port-taken`, `usage`; nothing is changed then. */
  async hold(id: string, wantedNow: () => WantedPorts, { rules, signal }: HeldPorts): Promise<void> {
    const sandbox = this.#of(id);
    sandbox.held.push(...rules);
    const release = () => {
      sandbox.held = sandbox.held.filter((rule) => !rules.includes(rule));
      return this.sync(id, wantedNow());
    };
    await this.sync(id, wantedNow());
    const error = rules.map((rule) => sandbox.entries.get(portKey(rule))?.error).find(Boolean);
    if (error !== undefined || signal.aborted) await release();
    if (error !== undefined) throw error;
    signal.addEventListener('abort', release, { once: true });
  }

  /** Of all its ports, those of the spec first. */
  stateOf(id: string, spec: readonly PortRule[]): PortState[] {
    const { published, picked } = readPortBook(this.#options.home, id);
    const { entries, held = [] } = this.#sandboxes.get(id) ?? {};
    const fromOf = (rule: PortRule) =>
      published.includes(rule) ? 'publish' : held.includes(rule) ? 'command' : 'file';
    return rulesOf(spec, [...published, ...held]).map((rule) => {
      const entry = entries?.get(portKey(rule));
      const host = entry?.listener?.port ?? picked[portKey(rule)] ?? rule.host;
      const problem = entry?.error === undefined ? {} : { problem: textOf(entry.error) };
      const isOpen = entry?.listener !== undefined;
      return { ...rule, host, open: isOpen, from: fromOf(rule), ...problem };
    });
  }

  usage(id: string): Usage {
    return this.#sandboxes.get(id)?.usage ?? { open: 0, usedAt: undefined };
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    for (const { entries } of this.#sandboxes.values()) for (const entry of entries.values()) close(entry);
    this.#sandboxes.clear();
  }

  #of(id: string): Sandbox {
    const known = this.#sandboxes.get(id);
    if (known !== undefined) return known;
    const fresh = { usage: { open: 0, usedAt: undefined }, entries: new Map(), held: [], last: Promise.resolve() };
    this.#sandboxes.set(id, fresh);
    return fresh;
  }

  async #bring(id: string, sandbox: Sandbox, { spec, running }: WantedPorts): Promise<void> {
    const book = readPortBook(this.#options.home, id);
    const rules = running && !this.#ended ? rulesOf(spec, [...book.published, ...sandbox.held]) : [];
    const keys = new Set(rules.map(portKey));
    for (const [key, entry] of sandbox.entries) {
      if (keys.has(key)) continue;
      close(entry);
      sandbox.entries.delete(key);
    }
    for (const rule of rules) {
      const known = sandbox.entries.get(portKey(rule));
      if (known?.listener === undefined) await this.#open(id, sandbox, rule);
    }
  }

  async #open(id: string, sandbox: Sandbox, rule: PortRule): Promise<void> {
    const { home, connect, most = MOST_CONNECTIONS } = this.#options;
    const key = portKey(rule);
    const tunnels = new Tunnels({ port: rule.guest, usage: sandbox.usage, connect: () => connect(id), most });
    const picked = readPortBook(home, id).picked[key];
    const entry: Entry = { listener: undefined, tunnels, error: undefined };
    sandbox.entries.set(key, entry);
    try {
      entry.listener = await listen({ ...rule, picked, onConnection: (socket) => tunnels.accept(socket) });
    } catch (error) {
      entry.error = await explained(error, { rule, owner: this.#ownerOf(rule) });
      return;
    }
    if (this.#ended) return close(entry);
    const { port } = entry.listener;
    try {
      if (port !== rule.host && port !== picked) this.#remember(id, key, port);
    } catch {
      // It is open. Only the next daemon may pick another port.
    }
  }

  #remember(id: string, key: string, port: number): void {
    const book = readPortBook(this.#options.home, id);
    writePortBook(this.#options.home, id, { ...book, picked: { ...book.picked, [key]: port } });
  }

  #ownerOf({ host }: PortRule): string | undefined {
    const owner = [...this.#sandboxes].find(([, { entries }]) =>
      [...entries.values()].some(({ listener }) => listener?.port === host),
    )?.[0];
    return owner === undefined ? undefined : this.#options.nameOf(owner);
  }
}

/** The first rule of each key: what the spec has as well is the spec's. */
function rulesOf(spec: readonly PortRule[], others: readonly PortRule[]): PortRule[] {
  const known = new Set<string>();
  return [...spec, ...others].filter((rule) => !known.has(portKey(rule)) && known.add(portKey(rule)));
}

function close({ listener, tunnels }: Entry): void {
  listener?.close();
  tunnels.close();
}
