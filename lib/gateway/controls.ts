/** Each control of a door can be switched off by the test that proves it, and by nothing else: no setting leads here. */
import { parseRequestHead } from './request-head.ts';

export interface Controls {
  /** Strict parsing of heads */
  parseHead: typeof parseRequestHead;
  /** Nothing is allowed without a rule, deny rules win */
  policy: boolean;
  /** Every address is checked before one is dialled */
  addressCheck: boolean;
  /** A tunnel carries TLS to the host that it was asked for */
  serverName: boolean;
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

export const ALL_CONTROLS: Controls = {
  parseHead: parseRequestHead,
  policy: true,
  addressCheck: true,
  serverName: true,
  httpRules: true,
  innerHost: true,
  upstreamCertificate: true,
  websocket: true,
  audit: true,
  recheck: true,
};
