/** The daemon's HTTP API on its Unix socket: types only, shared by server and client. */

import type { ErrorJson } from '../errors.ts';
import type { Consent, Loss } from '../plan/loss.ts';
import type { Change, Plan } from '../plan/types.ts';
import type { NewSecret } from '../secrets/secrets.ts';
import type { SecretInfo, SecretScope } from '../secrets/types.ts';
import type { Power } from '../spec/desired.ts';
import type { ProjectSpec, SandboxSpec, Source } from '../spec/spec.ts';
import type { Grant, LiveRules } from '../state/grants.ts';
import type { GuestPlace, WantedGuest } from './guest-upgrade.ts';

/** A client works with a daemon of another build that cannot be replaced yet if both have this number: every change that is not compatible increases it */
export const API_VERSION = 1;

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

/** The project whose file the daemon loads */
export interface ProjectRequest {
  /** Where the search for sandbox.toml begins */
  cwd: string;
  /** The client's whole environment, not the daemon's: settings of npm and pip may refer to any variable */
  env: NodeJS.ProcessEnv;
}

export interface PlanRequest extends ProjectRequest {
  /** Names (bare) to restrict to */
  only?: string[];
  /** Existing sandboxes get new disks, whatever changed */
  rebuild?: boolean;
}

/** Nothing is wrong with the file, and something will not work as it means it to. */
export interface Notice {
  message: string;
  source: Source;
}

export interface PlanResponse extends Plan {
  notices: Notice[];
  /** What the steps take away for good; applied only if `confirmed` */
  losses: Loss[];
  /** The recorded desired state of each sandbox of the project: a stop, reset or rm that is not done yet shows here */
  desired: { sandbox: string; exists: boolean; power: Power; generation: number; boot: number }[];
  /** Hash of everything in this spec that widens; what `acceptWidening` must repeat */
  wideningHash: string;
  /** The approved hash equals `wideningHash`, or nothing widens */
  approved: boolean;
  /** The changes that need approval */
  widening: Change[];
  /** Nothing of this project was ever approved */
  first: boolean;
  /** What is done instead, where everything but a repository outside of the project was approved. Absent: nothing was declined */
  declined?: Pick<PlanResponse, 'changes' | 'steps' | 'losses' | 'notices'>;
}

export interface CheckPathRequest {
  /** Absolute, on the host; a slash at the end of what does not exist says that a folder is meant */
  path: string;
}

type PathVerdict = 'pass' | 'hidden' | 'read-only' | 'private';

/** What a sandbox gets at a path. The text is not safe to show. */
export interface CheckedPath {
  sandbox: string;
  /** Relative to the workspace or the mount */
  path: string;
  read: PathVerdict;
  write: PathVerdict;
  /** What to write to change it */
  hint?: string | undefined;
  lines: string[];
}

export interface ApplyRequest extends PlanRequest, Consent {
  /** The `wideningHash` that the person accepted */
  acceptWidening?: string;
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
  | { type: 'done'; result: unknown }
  | { type: 'error'; error: ErrorJson };

export interface ApplyResult {
  notices: Notice[];
  changes: Change[];
  steps: { sandbox: string; action: string; durationMs: number }[];
  sandboxes: SandboxStatus[];
}

export type SandboxState = 'building' | 'starting' | 'running' | 'stopped' | 'failed';

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
  /** `file`: [[ports]]; `publish`: `sbx ports --publish` */
  from: 'file' | 'publish';
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
  /** What the sandbox's own disk takes on the host */
  diskBytes: number;
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
}

export interface AllowRequest {
  rules: Pick<Grant, 'pattern' | 'text' | 'trusted'>[];
  /** How long; undefined: until it is revoked */
  seconds?: number;
}

export interface AllowResult {
  /** All in force, the new ones last */
  grants: Grant[];
  /** The egress proxy is open: they are in force */
  live: boolean;
}

interface WantedPort {
  guest: number;
  /** 0: a free one */
  host: number;
  address?: string;
}

export interface PortsRequest {
  publish: WantedPort[];
  /** One without an address means any */
  unpublish: WantedPort[];
}

export interface PortsResult {
  ports: PortInfo[];
  /** It runs: the change is in force */
  live: boolean;
}

export interface DenyResult {
  /** All in force, the new ones last */
  denials: Grant[];
  /** The egress proxy is open: they are in force */
  live: boolean;
}

export interface RevokeRequest {
  /** As the user wrote them for `allow` and `deny` */
  entries: string[];
}

export interface RevokeResult {
  /** What was in force and is no more; entries that are in neither list were not from the command line */
  revoked: LiveRules;
  live: boolean;
}

/** A change that only the sandbox has */
interface PrivateChangeInfo {
  /** Of the workspace relative, else absolute on the host. MUST be made safe before it is shown */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'special' | 'removed';
  /** In bytes */
  size: number;
  files: number;
  /** Not safe to show */
  diff?: string;
  /** What `diff` showed, for `accept`; absent: it cannot be taken over */
  version?: ChangeVersion;
}

/** Hashes of the contents; null: there was no file */
interface ChangeVersion {
  layer: string | null;
  host: string | null;
}

export interface AcceptRequest {
  /** Absolute on the host */
  path: string;
  version: ChangeVersion;
}

export interface DiffResult {
  diff: string;
  /** Absent for a clone */
  changes?: PrivateChangeInfo[];
  /** There is more */
  isPartial?: boolean;
}

export interface DiffRequest {
  /** Only at and below this path, absolute */
  path?: string | undefined;
  /** Only the changes, in full, for `git apply` */
  patch: boolean;
}

export interface FetchRequest {
  /** Branch, tag or commit in the sandbox; default: HEAD */
  revision?: string;
  /** Replaces the host's branch if it has other commits */
  force: boolean;
}

export interface FetchResult {
  branch: string;
  commit: string;
  commits: number;
  files: number;
  /** What to look at before the branch is used: links, submodules, attributes */
  notes: string[];
}

export interface ApproveRequest {
  /** The project before a person's own command changed its file */
  before: ProjectSpec;
  after: ProjectSpec;
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

/** What the HTTP server calls. Every method may throw SbxError. Sandboxes are named by instance id (`lib/paths.ts`). */
export interface DaemonService {
  /** As in `DaemonStatus` */
  readonly build: string;
  status(): DaemonStatus;
  /** GET /v1/sandboxes */
  list(): Promise<SandboxStatus[]>;
  /** GET /v1/sandboxes/:id */
  inspect(id: string): Promise<SandboxDetail>;
  /** POST /v1/plan */
  plan(request: PlanRequest): Promise<PlanResponse>;
  /** POST /v1/apply, streamed. A second apply of one project waits for the first and then plans again. A client that goes away: the step under way ends at a safe point. */
  apply(request: ApplyRequest, context: RequestContext): Promise<ApplyResult>;
  /** POST /v1/sandboxes/:id/{stop,start,restart,reset,remove}; streamed. @throws SbxError `needs-confirmation`: in use */
  stop(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  start(id: string, context: RequestContext): Promise<SandboxStatus>;
  restart(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  /** Back to the warm base: the disk's changes are lost */
  reset(id: string, request: Consent, context: RequestContext): Promise<SandboxStatus>;
  remove(id: string, request: Consent, context: RequestContext): Promise<void>;
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
