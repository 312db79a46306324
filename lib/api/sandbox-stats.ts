/** What a sandbox uses, as the daemon's HTTP API says it: `sbx stats --json` has rates in addition. Types only. */
import type { SandboxState } from './sandbox-status.ts';

export interface SandboxStats {
  id: string;
  name: string;
  project: string;
  state: SandboxState;
  /** Of the daemon's clock, when the figures were read: ms since 1970 */
  atMs: number;
  cpus: number;
  /** Of the processes of its VM on this host; null: it does not run */
  host: { cpuMs: number; memoryBytes: number } | null;
  /** As the guest says, whose word is not trusted; null: it did not answer in time */
  guest: GuestStats | null;
  /** What its own disk takes on the host */
  diskBytes: number;
  /** Through the gateway, since the sandbox started or the daemon took it over; null: it has no egress proxy */
  network: NetworkStats | null;
}

interface GuestStats {
  cpuMs: number;
  memoryUsedBytes: number;
  memoryBytes: number;
  diskUsedBytes: number;
  diskBytes: number;
  processes: number;
}

interface NetworkStats {
  /** Open now */
  connections: number;
  allowed: number;
  denied: number;
  failed: number;
  bytesUp: number;
  bytesDown: number;
}
