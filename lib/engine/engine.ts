/** The boundary to what runs sandboxes: QEMU on this host (lib/engine/local). The daemon decides, an engine does. */
import type { GuestConnection } from '../guest/client/connection.ts';
import type { GuestUsage, SessionsRunning } from '../guest/protocol/messages.ts';
import type { ObservedSandbox, Step } from '../plan/types.ts';
import type { SandboxSpec } from '../spec/spec.ts';
import type { Grant, LiveRules } from '../state/grants.ts';
import type { PortRule } from '../state/port-book.ts';
import type { AcceptRequest, PrivateWork, PrivateWorkRequest } from '../workspace/changes/private-work.ts';
import type { PathExplanation } from '../workspace/client/ask.ts';
import type { WorkspaceState } from '../workspace/client/workspace-state.ts';

/** Fields of a spec that not every engine can provide */
export type Capability = 'lifecycle.pool' | 'mounts' | 'credentials' | 'network.http' | 'ports';

export interface StepContext {
  /** The sandbox's instance id */
  id: string;
  signal: AbortSignal;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
}

/** What `sbx ls` shows of a sandbox besides its record. */
export interface SandboxStatusFacts {
  vm: { pid: number; startTime: string; accel: string; startedAt: string } | undefined;
  /** The VM went through the identity sequence */
  finalized: boolean;
  /** The guest agent answers, or did within the last seconds */
  connected: boolean;
  /** Processes that the guest's kernel ended for lack of memory since the VM started, as the guest says; `at`: the last, ISO 8601 */
  outOfMemory: { kills: number; at: string } | undefined;
  /** What the sandbox's own disk takes on the host */
  diskBytes: number;
  /** Its memory is saved: how large, and since when, ISO 8601. Undefined: it is not suspended */
  saved: { bytes: number; at: string } | undefined;
  /** As the guest reported last; undefined: unknown */
  sessions: SessionsRunning | undefined;
  /** The image that its next disk starts from is built in the background; undefined: there is no other than its own */
  newImage: NewImage | undefined;
  /** The egress proxy serves its policy */
  networkReady: boolean;
  /** Of the folders that the guest uses, those that are watched on the host; undefined: unknown */
  workspaceWatched: 'all' | 'some' | 'none' | undefined;
  /** The VM is paused: the host's disk is full */
  diskFull: boolean;
  /** Undefined: it has no folders of the host now */
  workspace: WorkspaceState | undefined;
  ports: PortState[];
  /** Connections to its ports, and when the last one began or ended, in ms since 1970 */
  portUsage: { open: number; usedAt: number | undefined };
}

/** `reason`: what differs from the image that the sandbox was cloned from. `since`: ISO 8601. `doing`: the part that is built now */
export type NewImage = { reason: 'packages' | 'size' } & (
  | { is: 'waiting' }
  | { is: 'building'; since: string; doing: string }
  | { is: 'failed'; since: string; error: string }
);

/** What a sandbox uses now, and has used; `sbx stats` */
export interface SandboxUsage {
  /** Of the processes of its VM; undefined: it does not run */
  host: { cpuMs: number; memoryBytes: number } | undefined;
  /** As the guest says; undefined: it does not */
  guest: GuestUsage | undefined;
  /** What the sandbox's own disk takes on the host */
  diskBytes: number;
  /** Of the gateway, since it serves the sandbox; undefined: it does not */
  network: NetworkUsage | undefined;
}

interface NetworkUsage {
  /** Open now */
  connections: number;
  allowed: number;
  denied: number;
  failed: number;
  bytesUp: number;
  bytesDown: number;
}

export interface OpenGuest {
  connection: GuestConnection;
  /** For each command: the host's registries, the spec's `env`, placeholders */
  environment: Record<string, string>;
  /** File on the host, for copies: the guest has it as a block device. It may be absent */
  mailbox: string;
  /** MUST be called before a session of the agent begins */
  watchSessions(): void;
}

/** A port of the guest on the host. */
export interface PortState extends PortRule {
  /** The host listens */
  open: boolean;
  /** The spec, `sbx ports --publish`, or a command for as long as it runs */
  from: 'file' | 'publish' | 'command';
  /** Why it could not be opened; it is tried again */
  problem?: string;
}

/** A service inside that no port of the host leads to. */
export interface UnopenedPort {
  port: number;
  /** Name of its program; undefined: unknown */
  program: string | undefined;
  /** The person does not want to be asked about it */
  declined: boolean;
}

export interface PortChange {
  publish: PortRule[];
  /** An entry without an address means any */
  unpublish: PortRule[];
}

/** Bytes of the disk and of each layer below it, for `sbx inspect`. */
export interface SandboxStorage {
  instanceDir: string;
  layers: { kind: string; key: string; bytes: number }[];
  pool: { wanted: number; waiting: number };
  /** Folders that outlive it, in the guest and on the host */
  kept: KeptPlace[];
}

/** `label`: for all but `ls` */
export interface SnapshotRequest {
  action: 'create' | 'ls' | 'restore' | 'rm';
  label?: string | undefined;
}

export interface SnapshotInfo {
  label: string;
  /** ISO 8601 */
  createdAt: string;
  bytes: number;
  /** False: the sandbox has another image or other packages now */
  fits: boolean;
}

export interface KeptPlace {
  path: string;
  folder: string;
}

interface Garbage {
  kind: string;
  key: string;
  bytes: number;
  reason: string;
  /** ISO times; absent: a leftover */
  createdAt?: string;
  lastUsedAt?: string;
}

export interface GarbageRules {
  dryRun: boolean;
  /** Also layers that take minutes to build again */
  all: boolean;
  /** Layers that were used in this time are kept */
  keepSeconds: number;
}

/** `kept`: layers that no sandbox uses, and that stay all the same */
export interface Collected {
  freed: Garbage[];
  kept: Garbage[];
}

/**
 * Observes sandboxes and runs the steps of plans. Every method MUST be idempotent: safe to call again after it was cut off anywhere, also in
 * another process. Methods with a signal MUST end soon after it aborts, and leave a state from which the next plan continues.
 * No sandbox ends because the process that uses the engine does.
 */
export interface Engine extends AsyncDisposable {
  readonly capabilities: ReadonlySet<Capability>;
  /** Takes over the sandboxes of an earlier process and removes its leftovers. MUST be called once, before any other method. */
  recover(): Promise<void>;
  /** MUST read the real state at each call. A sandbox that does not exist is observed as absent. */
  observe(id: string, signal?: AbortSignal): Promise<ObservedSandbox>;
  /**
   * The step says what MUST be true when it resolves (lib/plan/types.ts). A disk is lost by `create` and `destroy` alone; `start` and `grow` keep
   * it, and no step makes it smaller. @throws StepError
   */
  run(step: Step, context: StepContext): Promise<void>;
  /** Connects to the guest agent. @throws SbxError `not-running`, `guest-failed` */
  open(id: string, spec: SandboxSpec): Promise<OpenGuest>;
  /** Ends the sandbox and removes all of it. No error when there is none. */
  destroy(id: string): Promise<void>;
  /** Hash of the policy that this spec means for this sandbox, rules of the command line included; compared with `ObservedSandbox.networkHash` */
  networkHash(id: string, spec: SandboxSpec): string;
  /** In force at once where the sandbox runs. @throws SbxError `refused-policy` */
  grant(id: string, spec: SandboxSpec, grants: Grant[]): { grants: Grant[]; live: boolean };
  /** Until the sandbox is removed; at once where it runs. @throws SbxError `port-taken`, `usage`, `not-found`: nothing is changed then */
  changePorts(id: string, change: PortChange): Promise<{ ports: PortState[]; live: boolean }>;
  /** Services inside that no port of the host leads to, as the guest says: for showing only. @throws SbxError `not-running`, `guest-protocol` */
  listeningPorts(id: string): Promise<UnopenedPort[]>;
  /** They are not offered again */
  declinePorts(id: string, ports: readonly number[]): void;
  /** Opens more until `signal` aborts, and MUST NOT outlive this process. @throws SbxError `port-taken`, `usage`: nothing is changed then */
  holdPorts(id: string, rules: PortRule[], signal: AbortSignal): Promise<PortState[]>;
  /** In force at once where the sandbox runs: connections that a rule covers are cut */
  deny(id: string, spec: SandboxSpec, denials: Grant[]): { denials: Grant[]; live: boolean };
  /** Removes grants and denials, by the text of the user */
  revoke(id: string, texts: readonly string[]): { revoked: LiveRules; live: boolean };
  /** What the sandbox gets at an absolute path of the host. Undefined: it is not served now. @throws SbxError `workspace`, `not-found` */
  explainPath(id: string, spec: SandboxSpec, path: string): Promise<PathExplanation | undefined>;
  status(id: string): SandboxStatusFacts;
  /** MUST NOT wait long for a guest that does not answer */
  usage(id: string): Promise<SandboxUsage>;
  /** What the guest changed for itself alone. Reads only; MUST work on a sandbox that does not run */
  privateWork(request: PrivateWorkRequest): Promise<PrivateWork>;
  /** Writes one change to the host. @throws SbxError `workspace`: it is not what was shown; `not-found` */
  acceptPrivate(request: AcceptRequest): Promise<void>;
  storage(id: string): Promise<SandboxStorage>;
  /** Named states of its disk. @returns those there are then; @throws SbxError `busy`: it is not stopped; `usage`, `not-found` */
  snapshots(id: string, request: SnapshotRequest): Promise<SnapshotInfo[]>;
  /** Removes what outlives the sandbox, which MUST be gone. No error when there is nothing */
  removeKept(id: string): Promise<void>;
  /** Ends pooled clones that no desired state asks for */
  shrinkPool(): Promise<void>;
  /** Starts to make the pooled clones that are missing. MUST NOT throw */
  fillPool(): void;
  /** Periodic work: clocks, full disks, console logs, the warm pool. MUST NOT throw */
  tick(): void;
  readonly pooled: number;
  collectGarbage(rules: GarbageRules): Promise<Collected>;
}
