/** One workspace server: starts it, attaches its guests, and starts it again when it has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { summaryOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { WorkspacePaths } from '../../paths.ts';
import type { Attach, Watched } from '../protocol/messages.ts';
import { askServer, serverEnd } from './ask.ts';
import { removeServerFolder } from './layer-folder.ts';
import { endServer, findServer, isOfBuild, type Launch, notStarted, startServer } from './server-process.ts';

export interface ServerOptions extends Launch {
  log: Log;
  /** It has ended by itself, without a guest */
  onUnused: () => void;
}

const PING_MS = 5_000;
const START_MS = 20_000;
/** Between tries to start one that keeps ending: none before the first, then this, then twice as long each time */
const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** One that served for so long starts without a pause */
const STEADY_MS = 10_000;

export class Server implements Disposable {
  readonly #options: ServerOptions;
  /** By link id */
  readonly #guests = new Map<string, Attach>();
  /** By link id, as the server answered last */
  #watched: ReadonlyMap<string, Watched> = new Map();
  #running: Promise<void> | undefined;
  #watch: Disposable | undefined;
  #ping: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #failures = 0;
  #disposed = false;
  #isLost = false;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get paths(): WorkspacePaths {
    return this.#options.paths;
  }

  /** It has ended, and no other one has taken over its guests yet */
  get isLost(): boolean {
    return this.#isLost;
  }

  get folders(): Launch['folders'] {
    return this.#options.folders;
  }

  async attach(guest: Attach): Promise<void> {
    this.#guests.set(guest.id, guest);
    for (let tries = 1; ; tries += 1) {
      await this.#ensure();
      try {
        this.#remember(await askServer(this.paths.control, guest));
        return;
      } catch (error) {
        // One that ends by itself may do so just now.
        if (tries === 3) throw error;
        if (findServer(this.paths) === undefined) this.#forget();
      }
    }
  }

  async detach(id: string): Promise<void> {
    this.#guests.delete(id);
    // One that has ended serves no guest.
    await askServer(this.paths.control, { op: 'detach', id }).catch(() => {});
  }

  /** @throws as `askServer`: the guest is served as before, or by the next server */
  async suspend(id: string): Promise<void> {
    await askServer(this.paths.control, { op: 'suspend', id });
    this.#guests.delete(id);
  }

  /** As of some seconds ago; undefined: unknown */
  watchedOf(id: string): Watched | undefined {
    return this.#watched.get(id);
  }

  /** The server keeps running. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#forget();
  }

  #ensure(): Promise<void> {
    this.#running ??= this.#start();
    this.#running.catch(() => this.#forget());
    return this.#running;
  }

  async #start(): Promise<void> {
    const { paths } = this;
    const found = findServer(paths);
    if (found === undefined || !isOfBuild(found, this.#options.distDir) || !(await this.#answers())) {
      await endServer(paths);
      await startServer(this.#options);
      await this.#untilReady();
    }
    this.#startedAt = Date.now();
    this.#watch = serverEnd(paths.control, () => void this.#onEnd());
    this.#ping = setInterval(() => void this.#check(), PING_MS).unref();
  }

  async #untilReady(): Promise<void> {
    for (const until = Date.now() + START_MS; Date.now() < until; await sleep(5)) {
      if (await this.#answers()) return;
      if (findServer(this.paths) === undefined) break;
    }
    throw notStarted(this.paths);
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      // connectTo throws where there is no socket yet.
      Promise.resolve()
        .then(() => askServer(this.paths.control, { op: 'status' }))
        .then(
          (found) => {
            this.#remember(found);
            resolve(true);
          },
          () => resolve(false),
        );
    });
  }

  #remember({ guests }: Awaited<ReturnType<typeof askServer>>): void {
    this.#watched = new Map(guests.map(({ id, watched }) => [id, watched]));
  }

  /** One that hangs is ended; the end of its socket starts the next one. */
  async #check(): Promise<void> {
    if (await this.#answers()) return;
    if (this.#ping === undefined) return;
    this.#options.log.warn('a workspace server does not answer, ending it');
    await endServer(this.paths);
  }

  async #onEnd(): Promise<void> {
    this.#forget();
    if (this.#disposed) return;
    if (this.#guests.size === 0) {
      // It may have ended while a guest is detached: its layer is still there.
      removeServerFolder(this.paths);
      this.#options.onUnused();
      return;
    }
    this.#isLost = true;
    this.#options.log.warn('a workspace server has ended, starting it again');
    this.#failures = Date.now() - this.#startedAt > STEADY_MS ? 0 : this.#failures + 1;
    await this.#restart();
  }

  async #restart(): Promise<void> {
    for (; !this.#disposed && this.#guests.size > 0; this.#failures += 1) {
      if (this.#failures > 1)
        await sleep(Math.min(BACKOFF_MS * 2 ** (this.#failures - 2), BACKOFF_MAX_MS), undefined, { ref: false });
      try {
        await this.#ensure();
        for (const guest of this.#guests.values()) await askServer(this.paths.control, guest);
        this.#isLost = false;
        return;
      } catch (error) {
        this.#options.log.warn(`a workspace server could not be started: ${summaryOf(error)}`);
        this.#forget();
      }
    }
  }

  #forget(): void {
    this.#running = undefined;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    clearInterval(this.#ping);
    this.#ping = undefined;
  }
}
