/** Asks the guest agent of each open connection at intervals whether it still answers, and what ran out of memory. */
import type { GuestConnection } from '../../../guest/client/connection.ts';

export interface OutOfMemory {
  /** Processes that the guest's kernel has ended since its start */
  kills: number;
  /** When the last was found, ISO 8601 */
  at: string;
}

export interface HeartbeatTimes {
  /** From an answer to the next question */
  everyMs: number;
  /** An answer that takes longer counts as none, until it comes */
  patienceMs: number;
}

/** Together below the 15 s within which a guest without an answer is reported */
const TIMES: HeartbeatTimes = { everyMs: 4_000, patienceMs: 8_000 };
/** More than a guest of any size can have ended */
const KILLS_MAX = 1e9;

interface Pulse {
  answers: boolean;
  outOfMemory: OutOfMemory | undefined;
}

export class Heartbeat {
  readonly #times: HeartbeatTimes;
  readonly #pulses = new WeakMap<GuestConnection, Pulse>();

  constructor(times: HeartbeatTimes = TIMES) {
    this.#times = times;
  }

  /** Begins, and ends with the connection. */
  watch(guest: GuestConnection): void {
    const pulse: Pulse = { answers: true, outOfMemory: undefined };
    this.#pulses.set(guest, pulse);
    this.#wait(guest, pulse);
  }

  /** False: the last question was not answered in time */
  answers(guest: GuestConnection): boolean {
    return this.#pulses.get(guest)?.answers ?? true;
  }

  /** As the guest says, whose word is not trusted: for showing only. Undefined: nothing was ended */
  outOfMemory(guest: GuestConnection): OutOfMemory | undefined {
    return this.#pulses.get(guest)?.outOfMemory;
  }

  #wait(guest: GuestConnection, pulse: Pulse): void {
    const timer = setTimeout(() => {
      forget();
      void this.#ask(guest, pulse);
    }, this.#times.everyMs).unref();
    const forget = guest.whenClosed(() => clearTimeout(timer));
  }

  /** One question at a time: a silent guest gets no second one to store. */
  async #ask(guest: GuestConnection, pulse: Pulse): Promise<void> {
    const late = setTimeout(() => {
      pulse.answers = false;
    }, this.#times.patienceMs).unref();
    try {
      const answer: unknown = await guest.request('ping', {});
      pulse.answers = true;
      pulse.outOfMemory = outOfMemoryIn(answer) ?? pulse.outOfMemory;
      this.#wait(guest, pulse);
    } catch {
      // The connection ended, or the guest refused the question: it is not asked again.
      pulse.answers = false;
    } finally {
      clearTimeout(late);
    }
  }
}

function outOfMemoryIn(answer: unknown): OutOfMemory | undefined {
  const { outOfMemory } = (answer ?? {}) as { outOfMemory?: Partial<Record<keyof OutOfMemory, unknown>> };
  const { kills, at } = outOfMemory ?? {};
  const date = typeof at === 'string' ? new Date(at) : undefined;
  if (typeof kills !== 'number' || !Number.isInteger(kills) || kills < 1 || kills > KILLS_MAX) return undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : { kills, at: date.toISOString() };
}
