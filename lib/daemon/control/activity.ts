/** When each sandbox was used last: commands, shells, copies, and the sessions of its agent. Nothing is kept: a new daemon begins anew. */
export interface ActivityTracker {
  /** From now until it is disposed it is in use */
  begin(id: string): Disposable;
  /** Milliseconds since it was used last, or since this was first asked of this machine. `busy`: it is in use now, by others */
  idleFor(id: string, machine: string, busy: boolean): number;
  forget(id: string): void;
}

interface Use {
  open: number;
  /** As `now` */
  last: number;
  machine: string | undefined;
}

/** `now` stands still while the host sleeps: an idle time is one in which the sandbox could have been used. */
export function createActivityTracker(now: () => number = () => performance.now()): ActivityTracker {
  const uses = new Map<string, Use>();
  const of = (id: string) => {
    const use = uses.get(id) ?? { open: 0, last: now(), machine: undefined };
    uses.set(id, use);
    return use;
  };
  return {
    begin(id) {
      const use = of(id);
      use.open += 1;
      let ended = false;
      return {
        [Symbol.dispose]() {
          if (ended) return;
          ended = true;
          use.open -= 1;
          use.last = now();
        },
      };
    },
    idleFor(id, machine, busy) {
      const use = of(id);
      if (busy || use.open > 0 || use.machine !== machine) use.last = now();
      use.machine = machine;
      return now() - use.last;
    },
    forget: (id) => void uses.delete(id),
  };
}
