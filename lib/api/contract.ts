/** The daemon's HTTP API on its Unix socket: types only, shared by server and client. */

import type { ErrorJson } from '../errors.ts';
import type { Consent } from '../plan/loss.ts';
import type { NewSecret } from '../secrets/secrets.ts';
import type { SecretInfo, SecretScope } from '../secrets/types.ts';
import type { GuestPlace, WantedGuest } from './guest-upgrade.ts';
import type {
  AllowRequest,
  AllowResult,
  CheckedPath,
  CheckPathRequest,
  DenyResult,
  HoldPortsRequest,
  OfferedPort,
  PortsRequest,
  PortsResult,
  RevokeRequest,
  RevokeResult,
} from './live-contract.ts';
import type { ApplyRequest, ApplyResult, ApproveRequest, PlanRequest, PlanResponse } from './project-contract.ts';
import type { SandboxStats } from './sandbox-stats.ts';
import type { PortInfo, SandboxDetail, SandboxStatus } from './sandbox-status.ts';
import type { AcceptRequest, DiffRequest, DiffResult, FetchRequest, FetchResult } from './work-contract.ts';

/** A client works with a daemon of another build that cannot be replaced yet if both have this number: every change that is not compatible increases it */
export const API_VERSION = 2;

/** What the HTTP server calls. Every method may throw SbxError. Sandboxes are named by instance id (`lib/paths.ts`). */
export interface DaemonService {
  /** As in `DaemonStatus` */
  readonly build: string;
  /** `SSH_AUTH_SOCK` of a client: the agent there may sign commits of sandboxes */
  noteSshAgent(socket: string): void;
  status(): DaemonStatus;
  /** GET /v1/sandboxes */
  list(): Promise<SandboxStatus[]>;
  /** GET /v1/sandboxes/:id */
  inspect(id: string): Promise<SandboxDetail>;
  /** GET /v1/sandboxes/:id/stats */
  stats(id: string): Promise<SandboxStats>;
  /** POST /v1/plan */
  plan(request: PlanRequest): Promise<PlanResponse>;
  /** POST /v1/apply, streamed. A second apply of one project waits for the first and then plans again. A client that goes away: the step under way ends at a safe point. */
  apply(request: ApplyRequest, context: RequestContext): Promise<ApplyResult>;
  /** POST /v1/sandboxes/:id/{stop,suspend,start,restart,reset,remove}; streamed. @throws SbxError `needs-confirmation`: in use */
  stop(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  /** Its processes continue with the next start */
  suspend(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  start(id: string, context: RequestContext): Promise<SandboxStatus>;
  restart(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  /** Back to the warm base: the disk's changes are lost */
  reset(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  remove(id: string, request: RemoveRequest, context: RequestContext): Promise<void>;
  /** POST /v1/sandboxes/:id/snapshots: named states of its disk. @throws SbxError `busy`: it is not stopped; `needs-confirmation` */
  snapshots(id: string, request: SnapshotsRequest): Promise<SnapshotsResult>;
  /** POST /v1/sandboxes/:id/fetch, streamed: commits of a clone become a branch of the host's repository */
  fetch(id: string, request: FetchRequest, context: RequestContext): Promise<FetchResult>;
  /** POST /v1/sandboxes/:id/diff, streamed: text of a guest, not safe to show */
  diff(id: string, request: DiffRequest, context: RequestContext): Promise<DiffResult>;
  /** POST /v1/sandboxes/:id/accept: one private change is written to the host, by the person at the command line */
  accept(id: string, request: AcceptRequest): Promise<{ accepted: string }>;
  /** POST /v1/sandboxes/:id/check-path. @throws SbxError `not-running`, `workspace`, `not-found` */
  checkPath(id: string, request: CheckPathRequest): Promise<CheckedPath>;
  /** POST /v1/sandboxes/:id/allow: beyond the spec, by the person at the command line. @throws SbxError `refused-policy` */
  allow(id: string, request: AllowRequest): Promise<AllowResult>;
  /** POST /v1/sandboxes/:id/ports: beyond the spec, by the person at the command line. @throws SbxError `port-taken`, `usage`, `not-found` */
  changePorts(id: string, request: PortsRequest): Promise<PortsResult>;
  /** GET /v1/sandboxes/:id/listening. @throws SbxError `not-running`, `guest-protocol` */
  listening(id: string): Promise<OfferedPort[]>;
  /** POST /v1/sandboxes/:id/declined-ports: they are not asked about again */
  declinePorts(id: string, request: { ports: number[] }): Promise<object>;
  /** POST /v1/sandboxes/:id/held-ports, streamed: an event `ports` when they are open; they are closed when the client goes away. @throws SbxError `port-taken`, `usage` */
  holdPorts(id: string, request: HoldPortsRequest, context: RequestContext): Promise<void>;
  /** POST /v1/sandboxes/:id/deny: wins over the spec and over grants */
  deny(id: string, request: AllowRequest): Promise<DenyResult>;
  /** POST /v1/sandboxes/:id/revoke: removes what `allow` and `deny` added, never a rule of the spec */
  revoke(id: string, request: RevokeRequest): Promise<RevokeResult>;
  /** POST /v1/approve: `after` counts as approved if `before` did, so that what another process wrote still needs approval */
  approve(request: ApproveRequest): Promise<{ approved: boolean }>;
  /** GET /v1/secrets: without values */
  secrets(): Promise<SecretInfo[]>;
  /** POST /v1/secrets: in force at the next request. @throws SbxError `secret`, never with the value */
  setSecret(secret: SecretRequest): Promise<SecretResult>;
  /** POST /v1/secret-removal */
  removeSecret(secret: { name: string; scope: SecretScope }): Promise<{ removed: boolean }>;
  /** POST /v1/gc */
  gc(request: GcRequest): Promise<GcResult>;
  /** GET /v1/sandboxes/:id/guest or /v1/guest?cwd=DIR&name=NAME, with `Upgrade: sbx-guest`. Throws while an HTTP answer is still possible; `serve` serves the upgraded socket, which speaks lib/guest/protocol/wire.ts, to its end. */
  guest(
    wanted: WantedGuest,
  ): Promise<{ place: GuestPlace; serve: (socket: import('node:stream').Duplex) => Promise<void> }>;
  /** POST /v1/shutdown: VMs keep running. Resolves to what ends the daemon. @throws SbxError `needs-confirmation` when clients work through it */
  shutdown(request: Consent): Promise<() => void>;
}

export interface DaemonStatus {
  pid: number;
  apiVersion: number;
  /** Hash and folder of the daemon's bundle: a client of another build asks it to hand over */
  build: string;
  startedAt: string;
  sandboxes: number;
  /** Clones in the pool */
  waiting: number;
  memoryBytes: number;
}

/** Lines of NDJSON of every long request. The last one is `done` or `error`. */
export type DaemonEvent =
  | {
      type: 'step';
      sandbox: string;
      action: string;
      status: 'started' | 'done' | 'failed';
      error?: ErrorJson;
      durationMs?: number;
    }
  /** A phase of a step, for progress: `building base`, `installing apt packages` */
  | { type: 'progress'; sandbox: string; message: string }
  /** A line of a bake's output */
  | { type: 'output'; sandbox: string; line: string }
  /** All ports of a sandbox */
  | { type: 'ports'; ports: PortInfo[] }
  | { type: 'done'; result: unknown }
  | { type: 'error'; error: ErrorJson };

export interface RemoveRequest extends Consent {
  /** Also what `[agent] keep` keeps */
  kept?: boolean;
}

export interface SnapshotsRequest extends Consent {
  action: 'create' | 'ls' | 'restore' | 'rm';
  label?: string | undefined;
}

export interface SnapshotsResult {
  name: string;
  snapshots: { label: string; createdAt: string; bytes: number; fits: boolean }[];
}

export type SecretRequest = NewSecret;

export interface SecretResult {
  info: SecretInfo;
  /** Said once */
  warning?: string;
}

export interface GcRequest {
  dryRun: boolean;
  /** Also layers that take minutes to build again */
  all?: boolean;
  /** Layers that were used in this time are kept */
  keepSeconds?: number;
}

interface GcItem {
  kind: string;
  key: string;
  bytes: number;
  reason: string;
  /** ISO times; absent: a leftover of a builder */
  createdAt?: string;
  lastUsedAt?: string;
}

export interface GcResult {
  dryRun: boolean;
  /** What is freed */
  items: GcItem[];
  /** Unused layers that stay */
  kept: GcItem[];
  freedBytes: number;
}

export interface RequestContext {
  /** Aborted when the client goes away */
  signal: AbortSignal;
  emit(event: DaemonEvent): void;
}
