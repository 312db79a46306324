/** All doors of a process, by sandbox. A policy that does not compile never opens anything. */
import { openAudit } from './audit.ts';
import { createDialer, type Dialer } from './dial.ts';
import { type Door, openDoor } from './door.ts';
import type { DoorStats } from './door-state.ts';
import type { Inspector } from './inspector.ts';
import { compilePolicy, DENY_ALL, type Policy } from './policy.ts';
import { proxySettings } from './proxy-settings.ts';
import { type Resolver, systemResolver } from './resolver.ts';
import type { PolicyInput } from './types.ts';

export interface DoorRequest {
  socketPath: string;
  auditPath: string;
  policy: PolicyInput;
  inspector?: Inspector;
}

export interface Gateway extends AsyncDisposable {
  /**
   * Opens a door, or puts the policy of an open one into force.
   * @throws SbxError `gateway` on a malformed policy: a new door then denies everything, an open one keeps its last policy.
   */
  open(sandbox: string, request: DoorRequest): Promise<void>;
  /** In force at once. @throws SbxError `gateway` on a malformed policy; the last one stays in force. */
  update(sandbox: string, policy: PolicyInput): void;
  /** No error when there is none */
  close(sandbox: string): Promise<void>;
  list(): string[];
  /** Hash of the policy in force; undefined: the door is shut */
  hashOf(sandbox: string): string | undefined;
  statsOf(sandbox: string): DoorStats | undefined;
}

export interface GatewayOptions {
  resolver?: Resolver;
  dialer?: Dialer;
}

export function createGateway(options: GatewayOptions = {}): Gateway {
  const resolver = options.resolver ?? systemResolver();
  const dialer = options.dialer ?? createDialer(proxySettings(process.env));
  const doors = new Map<string, Door>();
  const close = async (sandbox: string) => {
    const door = doors.get(sandbox);
    doors.delete(sandbox);
    await door?.close();
  };
  return {
    async open(sandbox, { socketPath, auditPath, policy, inspector }) {
      const compiled = compiledOr(policy, doors.get(sandbox)?.policy ?? DENY_ALL);
      await close(sandbox);
      const audit = openAudit(auditPath);
      const input = { socketPath, sandbox, policy: compiled.policy, resolver, dialer, audit };
      doors.set(sandbox, await openDoor(inspector === undefined ? input : { ...input, inspector }));
      if ('error' in compiled) throw compiled.error;
    },
    update(sandbox, policy) {
      doors.get(sandbox)?.setPolicy(compilePolicy(policy));
    },
    close,
    list: () => [...doors.keys()],
    hashOf: (sandbox) => doors.get(sandbox)?.policy.hash,
    statsOf: (sandbox) => doors.get(sandbox)?.stats,
    async [Symbol.asyncDispose]() {
      await Promise.all([...doors.keys()].map(close));
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
