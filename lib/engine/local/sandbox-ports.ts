/** The ports of each sandbox, as its record and its VM ask for them. */
import { SbxError } from '../../errors.ts';
import type { GuestConnection } from '../../guest/client/connection.ts';
import { instancePaths } from '../../paths.ts';
import { type PortRule, readPortBook, writePortBook } from '../../state/port-book.ts';
import type { PortChange, PortState, SandboxStatusFacts, UnopenedPort } from '../engine.ts';
import { servicesIn } from './ports/listening.ts';
import { Ports, type WantedPorts } from './ports/ports.ts';
import { isFinalized } from './steps/observe.ts';
import type { VmDeps } from './vm/deps.ts';

type PortDeps = Pick<VmDeps, 'driver' | 'home' | 'records'>;

export class SandboxPorts implements Disposable {
  readonly #deps: PortDeps;
  readonly #ports: Ports;
  readonly #connect: (id: string) => Promise<GuestConnection>;

  constructor(deps: PortDeps, connect: (id: string) => Promise<GuestConnection>) {
    this.#deps = deps;
    this.#connect = async (id) => {
      // Not before its identity: a connection that waits for the next VM would take the place of the one that boots it.
      if (!this.#wanted(id).running) throw new SbxError('not-running', 'the sandbox is not running');
      return connect(id);
    };
    this.#ports = new Ports({
      home: deps.home,
      connect: this.#connect,
      nameOf: (id) => deps.records.get(id)?.name ?? id,
    });
  }

  /** Never throws. */
  sync(id: string): Promise<void> {
    return this.#ports.sync(id, this.#wanted(id));
  }

  /** Until the next `sync`. Never throws. */
  close(id: string): Promise<void> {
    return this.#ports.sync(id, { spec: [], running: false });
  }

  /** @throws SbxError `port-taken`, `usage`, `not-found` */
  async change(id: string, change: PortChange): Promise<{ ports: PortState[]; live: boolean }> {
    const wanted = this.#wanted(id);
    await this.#ports.change(id, () => this.#wanted(id), change);
    return { ports: this.#ports.stateOf(id, wanted.spec), live: wanted.running };
  }

  /** @throws SbxError `port-taken`, `usage` */
  async hold(id: string, rules: PortRule[], signal: AbortSignal): Promise<PortState[]> {
    await this.#ports.hold(id, () => this.#wanted(id), { rules, signal });
    return this.stateOf(id);
  }

  /** @throws SbxError `not-running`, `guest-protocol` */
  async listening(id: string): Promise<UnopenedPort[]> {
    const { declined } = readPortBook(this.#deps.home, id);
    const services = await servicesIn(await this.#connect(id));
    const open = new Set(this.stateOf(id).map(({ guest }) => guest));
    return services
      .filter(({ port }) => !open.has(port))
      .map(({ port, program }) => ({ port, program, declined: declined.includes(port) }));
  }

  decline(id: string, ports: readonly number[]): void {
    const book = readPortBook(this.#deps.home, id);
    writePortBook(this.#deps.home, id, { ...book, declined: [...new Set([...book.declined, ...ports])] });
  }

  stateOf(id: string): PortState[] {
    const record = this.#deps.records.get(id);
    return this.#ports.stateOf(id, (record?.applied ?? record?.target)?.ports ?? []);
  }

  usage(id: string): SandboxStatusFacts['portUsage'] {
    return this.#ports.usage(id);
  }

  [Symbol.dispose](): void {
    this.#ports[Symbol.dispose]();
  }

  /** Those of the applied spec, from when the guest has its identity to the end of its VM. */
  #wanted(id: string): WantedPorts {
    const { driver, home, records } = this.#deps;
    const record = records.get(id);
    const vm = driver.find(instancePaths(home, id));
    const running = record?.applied != null && vm !== undefined && isFinalized(record, vm);
    return { spec: record?.applied?.ports ?? [], running };
  }
}
