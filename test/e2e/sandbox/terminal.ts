/** Runs the built command line on a real terminal of the host. */
import { type IPty, spawn } from '@lydell/node-pty';
import { HOME, SBX } from '../harness.ts';

export interface Person {
  pty: IPty;
  type(keys: string): void;
  /** Waits until what was shown since the last call holds it; the test's own time limit ends the waiting */
  sees(wanted: RegExp): Promise<string>;
  exit: Promise<number>;
}

export function person(cwd: string, args: string[], size = { cols: 90, rows: 25 }): Person {
  const pty = spawn(SBX, args, {
    ...size,
    cwd,
    name: 'xterm-256color',
    env: { ...(process.env as Record<string, string>), SBX_HOME: HOME },
  });
  let shown = '';
  let ended = false;
  const looks = new Set<() => void>();
  pty.onData((data) => {
    shown += data;
    for (const look of looks) look();
  });
  const exit = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode }) => {
      ended = true;
      for (const look of looks) look();
      resolve(exitCode);
    });
  });
  return {
    pty,
    exit,
    type: (keys) => pty.write(keys),
    sees: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = wanted.exec(shown);
          if (found === null && !ended) return;
          looks.delete(look);
          if (found === null) return reject(new Error(`ended before ${wanted}: ${JSON.stringify(shown)}`));
          const text = shown.slice(0, found.index + found[0].length);
          shown = shown.slice(found.index + found[0].length);
          resolve(text);
        };
        looks.add(look);
        look();
      }),
  };
}
