/** Runs one request at a time for each project; a second one waits. */
export interface ProjectMutex {
  /** Nothing is done of a request that was cancelled while it waited. */
  take<T>(projectDir: string, work: () => Promise<T>, waiting?: Waiting): Promise<T>;
  /** Runs at once, beside the request that has the turn; the next one waits for both. */
  join<T>(projectDir: string, work: () => Promise<T>): Promise<T>;
  /** Projects of which a request runs */
  busy(): string[];
}

interface Waiting {
  /** Called when another request comes first */
  onWait?: () => void;
  signal?: AbortSignal;
}

interface Turn {
  running: number;
  /** Each begins its request, which counts as running */
  waiting: (() => void)[];
}

/** `onIdle`: no request runs or waits any more. */
export function createProjectMutex(onIdle: () => void = () => {}): ProjectMutex {
  const turns = new Map<string, Turn>();
  const end = (projectDir: string, turn: Turn) => {
    turn.running -= 1;
    if (turn.running > 0) return;
    const next = turn.waiting.shift();
    if (next === undefined) turns.delete(projectDir);
    else turn.running += 1;
    next?.();
    if (turns.size === 0) onIdle();
  };
  const join: ProjectMutex['join'] = async (projectDir, work) => {
    const turn = turns.get(projectDir) ?? { running: 0, waiting: [] };
    turns.set(projectDir, turn);
    turn.running += 1;
    try {
      return await work();
    } finally {
      end(projectDir, turn);
    }
  };
  return {
    join,
    busy: () => [...turns.keys()],
    async take(projectDir, work, { onWait, signal } = {}) {
      const turn = turns.get(projectDir);
      if (turn === undefined) return join(projectDir, work);
      onWait?.();
      await new Promise<void>((resolve) => turn.waiting.push(resolve));
      try {
        signal?.throwIfAborted();
        return await work();
      } finally {
        end(projectDir, turn);
      }
    },
  };
}
