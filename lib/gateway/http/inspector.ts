/** The seam for what changes requests that are read, such as credentials. Hosts that it names are intercepted. */
import type { Transform } from 'node:stream';
import type { Header } from './headers.ts';

export interface InspectedRequest {
  method: string;
  /** Canonical: the very host that was decided on and is dialled */
  host: string;
  port: number;
  /** Inside TLS, of which the upstream's certificate is verified */
  secure: boolean;
  /** Path and query, exactly as sent */
  target: string;
  /** Without what belongs to one connection */
  headers: Header[];
  /** All of it, when its length was told and is at most `bodyMax`; undefined: none, or it is still to come */
  body?: Buffer;
}

export interface InspectedResponse {
  host: string;
  port: number;
  status: number;
  reasonPhrase: string;
  headers: Header[];
  hasBody: boolean;
}

export interface InspectorDenial {
  status: number;
  text: string;
  /** For the record */
  reason: string;
}

export interface Denied {
  denial: InspectorDenial;
}

export interface Passing {
  headers: Header[];
  /** Instead of the one that was shown */
  body?: Buffer;
  /** Sees each part of a body that was not shown, before it goes on; a refusal ends the request in the middle of it */
  watch?: (part: Buffer) => InspectorDenial | undefined;
  /** For the record of the permission */
  detail?: string;
}

export interface Inspector {
  /** Longest body that is shown whole, before anything is dialled, in bytes. Default: none is */
  bodyMax?: number;
  /** MUST be pure and quick: asked for every tunnel. */
  wants(host: string, port: number): boolean;
  /** Asked for every request that is read, also to hosts that it does not want. May change it, or refuse: then nothing is sent. */
  request(message: InspectedRequest): Promise<Passing | Denied>;
  /** May change the head, and with `body` the bytes as they stream: then the answer is framed anew. `refusal`: why it must not go on */
  response(message: InspectedResponse): { headers: Header[]; reasonPhrase?: string; body?: Transform; denial?: string };
  /** What the upstream says after a switch of protocols passes through it, in both its forms as long as it came. */
  switched?(host: string, port: number): Transform | undefined;
}
