import type { SandboxSpec } from '../../spec/spec.ts';
import { formatDuration } from '../../spec/units.ts';

/** What a person hears of a sandbox that was stopped since nobody used it. */
export function stoppedIdle(applied: SandboxSpec | null): string {
  return `it was stopped after ${formatDuration(applied?.lifecycle.idleSeconds ?? 0)} without use`;
}
