import type { ChildProcess } from 'node:child_process';
import { type Result, sbx } from './harness.ts';

/** Runs an apply or another command and calls `act` once, at the first matching progress event. */
export async function applyUntil(
  dir: string,
  wanted: (stderr: string) => boolean,
  act: (child: ChildProcess) => void,
  args = ['apply', '--yes'],
): Promise<Result & { acted: boolean }> {
  let seen = '';
  let acted = false;
  const result = await sbx(args, {
    cwd: dir,
    onStart: (child) =>
      child.stderr?.on('data', (chunk) => {
        seen += chunk;
        if (acted || !wanted(seen)) return;
        acted = true;
        act(child);
      }),
  });
  return { ...result, acted };
}
