/** Each control of a door can be switched off by the test that proves it, and by nothing else: no setting leads here. */
import { parseRequestHead } from '../http/request-head.ts';

export interface Enforcement {
  /** Strict parsing of heads */
  parseHead: typeof parseRequestHead;
  /** Nothing is allowed without a rule, deny rules win */
  policy: boolean;
  /** Every address is checked before one is dialled */
  addressCheck: boolean;
  /** A tunnel carries TLS to the host that it was asked for */
  serverName: boolean;
  /** What Connection nominates belongs to one connection, and goes no further */
  hopByHop: boolean;
  /** A request is allowed by method and path where rules speak of them */
  httpRules: boolean;
  /** Inside a tunnel nothing but the tunnel's own host is asked for */
  innerHost: boolean;
  /** The upstream's certificate is the host's, and trusted */
  upstreamCertificate: boolean;
  /** What is no answer to an upgrade opens no tunnel */
  websocket: boolean;
  /** Nothing leaves without a record */
  audit: boolean;
  /** A changed policy binds open connections */
  recheck: boolean;
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
};

/** Of the credentials, by the same rule. */
export interface CredentialEnforcement {
  /** A stand-in opens nothing where it does not belong */
  placeholders: boolean;
  /** The guest's own logins are taken away where a secret is put in */
  strip: boolean;
  /** What an answer repeats of a secret is not shown */
  mask: boolean;
  /** A secret goes inside verified TLS or not at all */
  secureOnly: boolean;
  /** A secret goes to its own host only */
  ownHost: boolean;
  /** Tokens that an answer hands out stay on the host */
  tokens: boolean;
  /** An answer that cannot be read is not passed on */
  encoding: boolean;
}

export const FULL_CREDENTIAL_ENFORCEMENT: CredentialEnforcement = {
  placeholders: true,
  strip: true,
  mask: true,
  secureOnly: true,
  ownHost: true,
  tokens: true,
  encoding: true,
};
