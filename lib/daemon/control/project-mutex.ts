/** Runs one request at a time for each project; a second one waits. */
export interface ProjectMutex {
  /** `onWait` is called when another request comes first */
  take<T>(projectDir: string, work: () => Promise<T>, onWait?: () => void): Promise<T>;
  /** Projects of which a request runs */
  busy(): string[];
}

/** `onIdle`: no request runs or waits any more. */
export function createProjectMutex(onIdle: () => void = () => {}): ProjectMutex {
  const last = new Map<string, Promise<unknown>>();
  return {
    busy: () => [...last.keys()],
    async take(projectDir, work, onWait) {
      if (last.has(projectDir)) onWait?.();
      const before = last.get(projectDir) ?? Promise.resolve();
      const mine = before.then(work, work);
      const settled = mine.catch(() => {});
      last.set(projectDir, settled);
      try {
        return await mine;
      } finally {
        if (last.get(projectDir) === settled) last.delete(projectDir);
        if (last.size === 0) onIdle();
      }
    },
  };
}
