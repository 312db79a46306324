/** Keeps the egress proxy of each sandbox of this process; a policy that does not compile never allows anything. */
import type { SecureContext } from 'node:tls';
import { openAudit } from './audit/audit.ts';
import type { Inspector } from './http/inspector.ts';
import { compilePolicy, DENY_ALL, type Policy } from './policy/policy.ts';
import type { AuditRecord, PolicyInput } from './policy/types.ts';
import { type EgressListener, openEgress } from './proxy/listener.ts';
import type { ListenerStats } from './request/listener-state.ts';
import { type Authority, loadAuthority, NO_AUTHORITY } from './tls/authority.ts';
import { hostTrust } from './tls/trust.ts';
import { createDialer, type Dialer } from './upstream/dial.ts';
import { proxySettings } from './upstream/proxy-settings.ts';
import { type Resolver, systemResolver } from './upstream/resolver.ts';

interface ListenerRequest {
  socketPath: string;
  auditPath: string;
  /** File of the sandbox's certificate authority, created if missing. Undefined: requests cannot be intercepted */
  authorityPath?: string;
  policy: PolicyInput;
  inspector?: Inspector;
  /** Where the filter before the ssh agent of the host listens */
  signerSocket?: string;
  /** Where the MCP gateway of the sandbox listens; absent: none */
  mcpSocket?: string;
}

export interface Gateway extends AsyncDisposable {
  /**
   * Opens a listener, or applies the policy to an open one.
   * @throws SbxError `gateway` on a malformed policy: a new listener then denies everything, an open one keeps its last policy.
   */
  open(sandbox: string, request: ListenerRequest): Promise<void>;
  /** Takes effect at once. @throws SbxError `gateway` on a malformed policy; the last one stays in force. */
  update(sandbox: string, policy: PolicyInput): void;
  /** No error if there is no listener */
  close(sandbox: string): Promise<void>;
  list(): string[];
  /** Hash of the policy in force; undefined: no open listener */
  hashOf(sandbox: string): string | undefined;
  statsOf(sandbox: string): ListenerStats | undefined;
  /** Adds a record to the log of the sandbox. False: it was not written, or there is no listener */
  record(sandbox: string, record: Omit<AuditRecord, 'time' | 'sandbox'>): boolean;
  /** The CA certificate for the sandbox to trust, PEM; undefined: no open listener */
  caOf(sandbox: string): string | undefined;
}

export interface GatewayOptions {
  resolver?: Resolver;
  dialer?: Dialer;
  trust?: () => SecureContext;
}

export function createGateway(options: GatewayOptions = {}): Gateway {
  const resolver = options.resolver ?? systemResolver();
  const trust = options.trust ?? hostTrust(process.env);
  const dialer = options.dialer ?? createDialer(proxySettings(process.env), trust);
  const listeners = new Map<string, EgressListener>();
  const authorities = new Map<string, Authority>();
  const close = async (sandbox: string) => {
    const listener = listeners.get(sandbox);
    listeners.delete(sandbox);
    authorities.delete(sandbox);
    await listener?.close();
  };
  return {
    async open(sandbox, { socketPath, auditPath, authorityPath, policy, inspector, signerSocket, mcpSocket }) {
      const compiled = compiledOr(policy, listeners.get(sandbox)?.policy ?? DENY_ALL);
      await close(sandbox);
      const audit = openAudit(auditPath);
      const authority = authorityPath === undefined ? NO_AUTHORITY : await loadAuthority(authorityPath);
      const input = { socketPath, sandbox, policy: compiled.policy, resolver, dialer, audit, authority, trust };
      const optional = {
        ...(inspector === undefined ? {} : { inspector }),
        ...(signerSocket === undefined ? {} : { signerSocket }),
        ...(mcpSocket === undefined ? {} : { mcpSocket }),
      };
      listeners.set(sandbox, await openEgress({ ...input, ...optional }));
      authorities.set(sandbox, authority);
      if ('error' in compiled) throw compiled.error;
    },
    update(sandbox, policy) {
      listeners.get(sandbox)?.setPolicy(compilePolicy(policy));
    },
    close,
    list: () => [...listeners.keys()],
    hashOf: (sandbox) => listeners.get(sandbox)?.policy.hash,
    statsOf: (sandbox) => listeners.get(sandbox)?.stats,
    record: (sandbox, record) => listeners.get(sandbox)?.record(record) ?? false,
    caOf: (sandbox) => authorities.get(sandbox)?.pem,
    async [Symbol.asyncDispose]() {
      await Promise.all([...listeners.keys()].map(close));
    },
  };
}

function compiledOr(input: PolicyInput, fallback: Policy): { policy: Policy } | { policy: Policy; error: unknown } {
  try {
    return { policy: compilePolicy(input) };
  } catch (error) {
    return { policy: fallback, error };
  }
}
