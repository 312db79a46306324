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
  audit: true,
  recheck: true,
};
