/** Enforcement switches: only the test of a control switches it off; no setting does. */
import { parseRequestHead } from '../http/request-head.ts';

export interface Enforcement {
  /** Strict parsing of heads */
  parseHead: typeof parseRequestHead;
  /** Default deny; deny rules win */
  policy: boolean;
  /** Every resolved address is checked before one is dialled */
  addressCheck: boolean;
  /** A tunnel carries TLS to the requested host */
  serverName: boolean;
  /** Headers that Connection nominates are not forwarded */
  hopByHop: boolean;
  /** HTTP rules decide by method and path */
  httpRules: boolean;
  /** Requests inside a tunnel must be for the tunnel's host */
  innerHost: boolean;
  /** The upstream certificate is verified */
  upstreamCertificate: boolean;
  /** Only a valid upgrade response opens a WebSocket */
  websocket: boolean;
  /** No request leaves without a record */
  audit: boolean;
  /** A policy change applies to open connections */
  recheck: boolean;
  /** A connection whose client has ended uses no slot, and ends without an answer in time */
  halfClosed: boolean;
}

export const FULL_ENFORCEMENT: Enforcement = {
  parseHead: parseRequestHead,
  policy: true,
  addressCheck: true,
  serverName: true,
  hopByHop: true,
  httpRules: true,
  innerHost: true,
  upstreamCertificate: true,
  websocket: true,
  audit: true,
  recheck: true,
  halfClosed: true,
};

/** Enforcement switches of credentials, for tests only. */
export interface CredentialEnforcement {
  /** A placeholder is rejected outside its own use */
  placeholders: boolean;
  /** The guest's own logins are removed when a secret is injected */
  strip: boolean;
  /** A request cannot ask for a part of a response */
  ranges: boolean;
  /** Secrets in responses are masked */
  mask: boolean;
  /** A secret is sent over verified TLS only */
  secureOnly: boolean;
  /** A secret is sent to its own host only */
  ownHost: boolean;
  /** Tokens issued by a response stay on the host */
  tokens: boolean;
  /** A response in an unreadable encoding is not forwarded */
  encoding: boolean;
}

export const FULL_CREDENTIAL_ENFORCEMENT: CredentialEnforcement = {
  placeholders: true,
  strip: true,
  ranges: true,
  mask: true,
  secureOnly: true,
  ownHost: true,
  tokens: true,
  encoding: true,
};
