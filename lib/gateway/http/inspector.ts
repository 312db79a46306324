/** Interface for components that change intercepted requests, such as credentials; hosts that it wants are intercepted. */
import type { Transform } from 'node:stream';
import type { Header } from './headers.ts';

export interface InspectedRequest {
  method: string;
  /** Canonical: the host that was decided on and is dialled */
  host: string;
  port: number;
  /** Inside TLS, with a verified upstream certificate */
  secure: boolean;
  /** Path and query, exactly as sent */
  target: string;
  /** Without hop-by-hop headers */
  headers: Header[];
  /** The whole body, if its declared length is at most `bodyMax`; undefined: no body, or not read yet */
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
  /** For the audit record */
  reason: string;
}

export interface Denied {
  denial: InspectorDenial;
}

export interface Passing {
  headers: Header[];
  /** Replaces the body of the request */
  body?: Buffer;
  /** Sees each part of an unbuffered body before it is forwarded; a denial aborts the request */
  watch?: (part: Buffer) => InspectorDenial | undefined;
  /** For the audit record of the admission */
  detail?: string;
}

export interface Inspector {
  /** Longest body passed whole, before the dial, in bytes. Default: 0 */
  bodyMax?: number;
  /** MUST be pure and fast: called for every tunnel. */
  wants(host: string, port: number): boolean;
  /** Called for every readable request, also to hosts that it does not want. May change the request, or deny it: then nothing is sent. */
  request(message: InspectedRequest): Promise<Passing | Denied>;
  /** May change the head, and with `body` the streamed bytes: then the response is reframed. `denial`: why it must not be forwarded */
  response(message: InspectedResponse): { headers: Header[]; reasonPhrase?: string; body?: Transform; denial?: string };
  /** Transforms what the upstream sends after a protocol upgrade; MUST keep the length. */
  switched?(host: string, port: number): Transform | undefined;
}
