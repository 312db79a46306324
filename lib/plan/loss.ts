/** Names what the steps of a plan take away for good. Pure. */
import type { Step } from './types.ts';

/** What cannot be had back, in words */
export interface Loss {
  sandbox: string;
  kind: 'disk' | 'session';
  message: string;
}

export interface LossFacts {
  /** The sandbox was applied in full: its disk may hold work */
  hasDisk: boolean;
  /** What runs in it, in words */
  runs: string | undefined;
}

type Action = Step['action'];

const LOSES_DISK: ReadonlySet<Action> = new Set(['create', 'destroy']);
/** `start` ends a VM as well, one that does not answer */
const ENDS_VM: ReadonlySet<Action> = new Set(['stop', 'create', 'destroy']);

/** Sandboxes whose VM the steps end */
export function endedBy(steps: Step[]): string[] {
  return [...new Set(steps.filter(({ action }) => ENDS_VM.has(action)).map(({ sandbox }) => sandbox))];
}

export function lossesOf(steps: Step[], factsOf: (sandbox: string) => LossFacts): Loss[] {
  return endedBy(steps).flatMap((sandbox): Loss[] => {
    const { hasDisk, runs } = factsOf(sandbox);
    const disk = hasDisk && steps.some((step) => step.sandbox === sandbox && LOSES_DISK.has(step.action));
    return [
      ...(disk ? [{ sandbox, kind: 'disk' as const, message: `${sandbox}: everything on its own disk is lost` }] : []),
      ...(runs === undefined ? [] : [{ sandbox, kind: 'session' as const, message: `${sandbox}: ends ${runs}` }]),
    ];
  });
}
