/** Explains an idle stop. */
import type { SandboxSpec } from '../../spec/spec.ts';
import { formatDuration } from '../../spec/units.ts';

/** The reason shown for a sandbox that an idle stop ended. */
export function stoppedIdle(applied: SandboxSpec | null): string {
  return `stopped after ${formatDuration(applied?.lifecycle.idleSeconds ?? 0)} without use`;
}
