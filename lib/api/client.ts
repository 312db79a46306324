/** The daemon as an object: each method is one request on its socket. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { fromErrorJson, SbxError } from '../errors.ts';
import type { Consent } from '../plan/loss.ts';
import type { SecretInfo } from '../secrets/types.ts';
import { alive, type Connection, errorOf, headersOf, NO_SERVER_NAME, readJson, unreachable } from './connection.ts';
import type {
  DaemonEvent,
  DaemonStatus,
  GcRequest,
  GcResult,
  RemoveRequest,
  SecretRequest,
  SecretResult,
  SnapshotsRequest,
  SnapshotsResult,
} from './contract.ts';
import { type OpenGuest, openGuest } from './guest-upgrade.ts';
import type {
  AllowRequest,
  AllowResult,
  CheckedPath,
  CheckPathRequest,
  DenyResult,
  HoldPortsRequest,
  OfferedPort,
  PortsRequest,
  PortsResult,
  RevokeRequest,
  RevokeResult,
} from './live-contract.ts';
import type { ApplyRequest, ApplyResult, ApproveRequest, PlanRequest, PlanResponse } from './project-contract.ts';
import type { SandboxStats } from './sandbox-stats.ts';
import type { SandboxDetail, SandboxStatus } from './sandbox-status.ts';
import type { AcceptRequest, DiffRequest, DiffResult, FetchRequest, FetchResult } from './work-contract.ts';

export interface StreamOptions {
  signal?: AbortSignal | undefined;
  onEvent?: ((event: DaemonEvent) => void) | undefined;
}

export class DaemonClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  status = () => this.#call<DaemonStatus>('GET', '/v1/status');
  list = () => this.#call<SandboxStatus[]>('GET', '/v1/sandboxes');
  inspect = (id: string) => this.#call<SandboxDetail>('GET', `/v1/sandboxes/${id}`);
  stats = (id: string) => this.#call<SandboxStats>('GET', `/v1/sandboxes/${id}/stats`);
  plan = (body: PlanRequest) => this.#call<PlanResponse>('POST', '/v1/plan', body);
  allow = (id: string, body: AllowRequest) => this.#call<AllowResult>('POST', `/v1/sandboxes/${id}/allow`, body);
  changePorts = (id: string, body: PortsRequest) => this.#call<PortsResult>('POST', `/v1/sandboxes/${id}/ports`, body);
  listening = (id: string) => this.#call<OfferedPort[]>('GET', `/v1/sandboxes/${id}/listening`);
  declinePorts = (id: string, body: { ports: number[] }) =>
    this.#call<object>('POST', `/v1/sandboxes/${id}/declined-ports`, body);
  /** Ends with `signal` only: its event `ports` says that they are open. */
  holdPorts = (id: string, body: HoldPortsRequest, options: StreamOptions) =>
    this.#stream<null>(`/v1/sandboxes/${id}/held-ports`, body, options);
  checkPath = (id: string, body: CheckPathRequest) =>
    this.#call<CheckedPath>('POST', `/v1/sandboxes/${id}/check-path`, body);
  deny = (id: string, body: AllowRequest) => this.#call<DenyResult>('POST', `/v1/sandboxes/${id}/deny`, body);
  revoke = (id: string, body: RevokeRequest) => this.#call<RevokeResult>('POST', `/v1/sandboxes/${id}/revoke`, body);
  approve = (body: ApproveRequest) => this.#call<{ approved: boolean }>('POST', '/v1/approve', body);
  secrets = () => this.#call<SecretInfo[]>('GET', '/v1/secrets');
  setSecret = (body: SecretRequest) => this.#call<SecretResult>('POST', '/v1/secrets', body);
  removeSecret = (body: Pick<SecretRequest, 'name' | 'scope'>) =>
    this.#call<{ removed: boolean }>('POST', '/v1/secret-removal', body);
  gc = (body: GcRequest) => this.#call<GcResult>('POST', '/v1/gc', body);
  shutdown = (body: Consent) => this.#call<unknown>('POST', '/v1/shutdown', body);
  apply = (body: ApplyRequest, options: StreamOptions) => this.#stream<ApplyResult>('/v1/apply', body, options);
  stop = (id: string, body: Consent, options: StreamOptions) =>
    this.#stream<SandboxStatus>(`/v1/sandboxes/${id}/stop`, body, options);
  suspend = (id: string, body: Consent, options: StreamOptions) =>
    this.#stream<SandboxStatus>(`/v1/sandboxes/${id}/suspend`, body, options);
  start = (id: string, options: StreamOptions) => this.#stream<SandboxStatus>(`/v1/sandboxes/${id}/start`, {}, options);
  restart = (id: string, body: Consent, options: StreamOptions) =>
    this.#stream<SandboxStatus>(`/v1/sandboxes/${id}/restart`, body, options);
  reset = (id: string, body: Consent, options: StreamOptions) =>
    this.#stream<SandboxStatus>(`/v1/sandboxes/${id}/reset`, body, options);
  snapshots = (id: string, body: SnapshotsRequest) =>
    this.#call<SnapshotsResult>('POST', `/v1/sandboxes/${id}/snapshots`, body);
  remove = (id: string, body: RemoveRequest, options: StreamOptions) =>
    this.#stream<null>(`/v1/sandboxes/${id}/remove`, body, options);
  fetch = (id: string, body: FetchRequest, options: StreamOptions) =>
    this.#stream<FetchResult>(`/v1/sandboxes/${id}/fetch`, body, options);
  accept = (id: string, body: AcceptRequest) =>
    this.#call<{ accepted: string }>('POST', `/v1/sandboxes/${id}/accept`, body);
  diff = (id: string, body: DiffRequest, options: StreamOptions) =>
    this.#stream<DiffResult>(`/v1/sandboxes/${id}/diff`, body, options);

  /** Opens a socket that speaks the guest's protocol. */
  guest(id: string): Promise<OpenGuest> {
    return openGuest(this.#connection, { id });
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, body);
    const value = await readJson(response);
    if ((response.statusCode ?? 500) >= 400) throw errorOf(value);
    return value as T;
  }

  async #stream<T>(path: string, body: unknown, options: StreamOptions): Promise<T> {
    const response = await this.#send('POST', path, body, options.signal);
    if ((response.statusCode ?? 500) >= 400) throw errorOf(await readJson(response));
    try {
      const { createInterface } = await import('node:readline');
      for await (const line of createInterface({ input: response })) {
        const event = JSON.parse(line) as DaemonEvent;
        if (event.type === 'done') return event.result as T;
        if (event.type === 'error') throw fromErrorJson(event.error);
        options.onEvent?.(event);
      }
    } catch (error) {
      if (error instanceof SbxError) throw error;
      if (options.signal?.aborted) throw cancelled(error);
      throw unreachable(error);
    }
    if (options.signal?.aborted) throw cancelled(undefined);
    throw unreachable(undefined);
  }

  #send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
    return alive(this.#connection, () => this.#sendOnce(method, path, body, signal));
  }

  #sendOnce(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#request(
        method,
        path,
        body === undefined ? {} : { 'content-type': 'application/json' },
        signal,
      );
      request.once('response', (response) => {
        if (response.statusCode !== CONFLICT) return resolve(response);
        readJson(response).then((value) => reject(errorOf(value)), reject);
      });
      request.once('error', (error) => reject(signal?.aborted ? cancelled(error) : unreachable(error)));
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  #request(method: string, path: string, headers: Record<string, string>, signal?: AbortSignal): ClientRequest {
    return httpRequest({
      socketPath: this.#connection.socketPath,
      method,
      path,
      headers: { ...headersOf(this.#connection), ...headers },
      agent: false,
      ...NO_SERVER_NAME,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

const CONFLICT = 409;

function cancelled(cause: unknown): SbxError {
  return new SbxError('cancelled', 'cancelled', { hint: 'what was begun is finished by the next `sbx apply`', cause });
}
