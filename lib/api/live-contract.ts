/** Bodies of the daemon's HTTP API about what a running sandbox may reach: network, ports, paths. Types only. */

import type { Grant, LiveRules } from '../state/grants.ts';
import type { PortInfo } from './sandbox-status.ts';

export interface CheckPathRequest {
  /** Absolute, on the host; a slash at the end of what does not exist says that a folder is meant */
  path: string;
}

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

export interface PortsRequest {
  publish: WantedPort[];
  /** One without an address means any */
  unpublish: WantedPort[];
}

/** A service inside that no port of the host leads to. */
export interface OfferedPort {
  port: number;
  /** Not safe to show */
  program: string | null;
  /** To be asked about: `guest = "auto"`, and not declined before */
  asks: boolean;
}

/** Ports for as long as the request is open. */
export type HoldPortsRequest = Pick<PortsRequest, 'publish'>;

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

type PathVerdict = 'pass' | 'hidden' | 'read-only' | 'private';

interface WantedPort {
  guest: number;
  /** 0: a free one */
  host: number;
  address?: string;
}
