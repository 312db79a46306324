/** One thing at a time for a project: a second caller waits, then looks anew. */
export interface ProjectMutex {
  take<T>(projectDir: string, work: () => Promise<T>): Promise<T>;
}

/** `onIdle`: nobody's turn is left. */
export function createProjectMutex(onIdle: () => void = () => {}): ProjectMutex {
  const last = new Map<string, Promise<unknown>>();
  return {
    async take(projectDir, work) {
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
