/** What a sandbox changed in its private layer, as an engine tells it. */
import type { SandboxSpec } from '../../spec/spec.ts';
import type { PrivateChange } from './read-layer.ts';
import type { ChangeVersion } from './sides.ts';

export interface PrivateWork {
  changes: (PrivateChange & {
    /** Not safe to show */
    diff?: string;
    /** What was shown; absent: it cannot be taken over */
    version?: ChangeVersion;
    /** Can be made again: the sandbox was told to have it for itself */
    isOwn: boolean;
  })[];
  /** There is more than was read */
  isPartial: boolean;
}

export interface AcceptRequest {
  id: string;
  spec: SandboxSpec;
  /** Absolute on the host */
  path: string;
  /** As it was shown */
  version: ChangeVersion;
}

export interface PrivateWorkRequest {
  id: string;
  spec: SandboxSpec;
  /** Only at and below this path of the host, absolute; default: all */
  below?: string | undefined;
  /** False: to count them up to a bound, without what the sandbox was told to have for itself */
  withDiff: boolean;
}
