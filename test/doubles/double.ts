/** What a test double of a model's API is: from one request to its answer, pure; `world.ts` gives it a name, TLS and a wire. */
import type { IncomingHttpHeaders } from 'node:http';

/** The scripted turn: one call of the agent's own tool that writes the file, then a final answer. Read anew for each request. */
export interface Script {
  /** Absolute, where the agent runs */
  path: string;
  content: string;
  answer: string;
  /** False: none is opened, as behind a proxy that knows none */
  websocket?: boolean;
}

export interface DoubleRequest {
  host: string;
  method: string;
  /** Without the query */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Parsed JSON; undefined when there is none */
  body: unknown;
}

interface ServerEvent {
  event?: string;
  /** Text as it is, anything else as JSON */
  data: unknown;
}

export type DoubleAnswer =
  | { status: number; json: unknown; headers?: Record<string, string> }
  | { events: ServerEvent[]; headers?: Record<string, string> };

export interface Double {
  name: string;
  /** Host names, or `*.` and what they end with */
  hosts: string[];
  /** Undefined: no such endpoint. MUST NOT depend on earlier requests. */
  answer(request: DoubleRequest, script: Script): DoubleAnswer | undefined;
  /** The API's own words for a path that it does not have */
  unknown(request: DoubleRequest): DoubleAnswer;
  /** Undefined: no WebSocket is opened here. Otherwise, what each message is answered with. */
  socket?(request: DoubleRequest, script: Script): ((message: unknown) => unknown[]) | undefined;
}

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const tableOf = (value: unknown): Record<string, unknown> => (isTable(value) ? value : {});

export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A stream is a stream only with more than one piece. */
export function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
