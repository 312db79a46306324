/** All doors of a process, by sandbox. A policy that does not compile never opens anything. */
import { openAudit } from './audit.ts';
import { type Door, openDoor } from './door.ts';
import { compilePolicy } from './policy.ts';
import type { PolicyInput } from './types.ts';
import { createUpstream, type Upstream } from './upstream.ts';

export interface DoorRequest {
  socketPath: string;
  auditPath: string;
  policy: PolicyInput;
}

export interface Gateway extends AsyncDisposable {
  /** @throws SbxError `gateway` on a malformed policy; the door then stays shut. */
  open(sandbox: string, request: DoorRequest): Promise<void>;
  /** In force at once. @throws SbxError `gateway` on a malformed policy; the last one stays in force. */
  update(sandbox: string, policy: PolicyInput): void;
  close(sandbox: string): Promise<void>;
  list(): string[];
  /** Hash of the policy in force; undefined: the door is shut */
  hashOf(sandbox: string): string | undefined;
}

export function createGateway(upstream: Upstream = createUpstream()): Gateway {
  const doors = new Map<string, Door>();
  const close = async (sandbox: string) => {
    const door = doors.get(sandbox);
    doors.delete(sandbox);
    await door?.[Symbol.asyncDispose]();
  };
  return {
    async open(sandbox, request) {
      const policy = compilePolicy(request.policy);
      await close(sandbox);
      doors.set(
        sandbox,
        await openDoor({
          socketPath: request.socketPath,
          sandbox,
          policy,
          upstream,
          audit: openAudit(request.auditPath),
        }),
      );
    },
    update(sandbox, policy) {
      doors.get(sandbox)?.setPolicy(compilePolicy(policy));
    },
    close,
    list: () => [...doors.keys()],
    hashOf: (sandbox) => doors.get(sandbox)?.policy.hash,
    async [Symbol.asyncDispose]() {
      await Promise.all([...doors.keys()].map(close));
    },
  };
}
