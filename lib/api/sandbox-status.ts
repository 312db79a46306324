/** A sandbox as the daemon's HTTP API describes it: `sbx ls --json` and `sbx inspect`. Types only. */

import type { Loss } from '../plan/loss.ts';
import type { SandboxSpec } from '../spec/spec.ts';
import type { Grant } from '../state/grants.ts';

export type SandboxState = 'building' | 'starting' | 'running' | 'suspended' | 'stopped' | 'failed';

export interface Condition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
  since: string;
}

/** A port of the guest on the host. */
export interface PortInfo {
  guest: number;
  /** 0: a free one, which is not picked yet */
  host: number;
  /** The one address that is listened on; null: 127.0.0.1 and ::1 */
  address: string | null;
  /** As if it spoke HTTP; null: the host does not listen now */
  url: string | null;
  /** `file`: [[ports]]; `publish`: `sbx ports --publish`; `command`: `--publish` of a command, while it runs */
  from: 'file' | 'publish' | 'command';
  /** Why the host does not listen, although it should */
  problem: string | null;
}

/** One row of `sbx ls --json`. */
export interface SandboxStatus {
  id: string;
  name: string;
  /** The project's name */
  project: string;
  /** The project's folder */
  projectDir: string;
  state: SandboxState;
  agent: string | null;
  image: string;
  /** Key of the warm layer it was cloned from */
  snapshot: string | null;
  accel: string | null;
  cpus: number;
  memoryBytes: number;
  /** What the sandbox's own disk and its saved memory take on the host */
  diskBytes: number;
  /** Its saved memory; null: it is not suspended */
  suspended: { bytes: number; at: string } | null;
  workspace: string;
  ports: PortInfo[];
  pid: number | null;
  createdAt: string;
  /** Of its VM */
  startedAt: string | null;
  conditions: Condition[];
}

/** `sbx inspect`: the row, the applied spec with provenance, folders, layers, sizes. */
export interface SandboxDetail extends SandboxStatus {
  spec: SandboxSpec;
  instanceDir: string;
  /** What `sbx net allow` let out beyond the spec, and how long */
  grants: Grant[];
  /** What `sbx net deny` keeps shut, and how long */
  denials: Grant[];
  layers: { kind: string; key: string; bytes: number }[];
  /** What its removal would take away for good */
  losses: Loss[];
  /** `[lifecycle] pool`, and how many wait now */
  pool: { wanted: number; waiting: number };
  /** `[agent] keep`: a folder inside, and where it lies on the host. Its removal does not take it away */
  kept: { path: string; folder: string }[];
}
