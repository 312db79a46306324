/** Tracks when each sandbox was last used: commands, shells, copies, sessions of its agent. In memory only: a new daemon starts at zero. */
export interface ActivityTracker {
  /** In use until the result is disposed */
  begin(id: string): Disposable;
  /** A command, a shell or a copy runs until the result is disposed: it ends with the VM. `now`: ISO 8601 */
  work(id: string, now?: string): Disposable;
  /** A client is attached to a session of the agent until the result is disposed: the daemon's end cuts it off */
  attach(id: string, now?: string): Disposable;
  /** Undefined: none runs */
  workOf(id: string): Work | undefined;
  /** Clients that are attached; undefined: none */
  attachedTo(id: string): Work | undefined;
  /** Milliseconds since its last use, or since the first call for this VM. `busy`: in use now in another way */
  idleFor(id: string, vm: string, busy: boolean): number;
  forget(id: string): void;
}

/** What runs at the same time */
export interface Work {
  running: number;
  /** Start of the first, ISO 8601 */
  since: string;
}

interface Use {
  /** Starts of what runs, the first one first */
  works: string[];
  attached: string[];
  open: number;
  /** As `now` */
  last: number;
  vm: string | undefined;
}

/** The default clock stops while the host sleeps: only time in which the sandbox could have been used is idle time. */
export function createActivityTracker(now: () => number = () => performance.now()): ActivityTracker {
  const uses = new Map<string, Use>();
  const of = (id: string) => {
    const use = uses.get(id) ?? { works: [], attached: [], open: 0, last: now(), vm: undefined };
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
    work: (id, now) => listed(of(id).works, now),
    attach: (id, now) => listed(of(id).attached, now),
    workOf: (id) => inShort(uses.get(id)?.works),
    attachedTo: (id) => inShort(uses.get(id)?.attached),
    idleFor(id, vm, busy) {
      const use = of(id);
      if (busy || use.open > 0 || use.vm !== vm) use.last = now();
      use.vm = vm;
      return now() - use.last;
    },
    forget: (id) => void uses.delete(id),
  };
}

/** In the list until it is disposed. */
function listed(starts: string[], started = new Date().toISOString()): Disposable {
  starts.push(started);
  let ended = false;
  return {
    [Symbol.dispose]() {
      if (!ended) starts.splice(starts.indexOf(started), 1);
      ended = true;
    },
  };
}

function inShort([since, ...more]: string[] = []): Work | undefined {
  return since === undefined ? undefined : { running: more.length + 1, since };
}
