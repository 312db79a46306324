/** The seam for what changes requests that are read, such as credentials. Hosts that it names are intercepted. */
import type { Transform } from 'node:stream';
import type { Field } from './fields.ts';

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
  fields: Field[];
}

export interface InspectedResponse {
  host: string;
  status: number;
  fields: Field[];
}

export interface Refusing {
  refusal: { status: number; text: string; reason: string };
}

export interface Inspector {
  /** MUST be pure and quick: asked for every tunnel. */
  wants(host: string, port: number): boolean;
  /** Asked for every request that is read, also to hosts that it does not want. May change header fields, or refuse: then nothing is sent. */
  request(message: InspectedRequest): Promise<{ fields: Field[] } | Refusing>;
  /** May change response fields, and with `body` the bytes as they stream: then the answer is framed anew. */
  response(message: InspectedResponse): { fields: Field[]; body?: Transform };
}
