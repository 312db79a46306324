/** Runs the egress proxies of the sandboxes, each with the policy of its spec and its current grants, and those of bakes. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { parseAuthority } from '../../../gateway/address/canonical-host.ts';
import type { Gateway } from '../../../gateway/gateway.ts';
import { compilePolicy, decide, type Policy, policyHash } from '../../../gateway/policy/policy.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { addGrants, type Grant, livePolicy, readGrants } from '../../../state/grants.ts';
import type { Credentials } from '../credentials/credentials.ts';

export interface Egress extends Disposable {
  /** Opens the egress proxy, or applies the policy to an open one */
  open(id: string, spec: SandboxSpec): Promise<void>;
  close(id: string): Promise<void>;
  /** Hash of the policy that should be served now */
  hashFor(id: string, spec: SandboxSpec): string;
  /** Saves the grants and applies them at once if the proxy is open. @throws SbxError `refused-policy`: a deny rule covers one. */
  grant(id: string, spec: SandboxSpec, grants: Grant[]): Grant[];
}

/** Maximum timer delay: a suspended host stops timers, but not the clock */
const WAIT_MAX_MS = 10_000;

export interface EgressDeps {
  home: Home;
  gateway: Gateway;
  credentials: Credentials;
}

export function createEgress({ home, gateway, credentials }: EgressDeps): Egress {
  const served = new Map<string, SandboxSpec>();
  const timers = new Map<string, NodeJS.Timeout>();
  const disarm = (id: string) => {
    clearTimeout(timers.get(id));
    timers.delete(id);
  };
  const refresh = (id: string) => {
    const spec = served.get(id);
    if (spec === undefined) return;
    const grants = readGrants(home, id);
    const policy = livePolicy(spec, grants);
    if (gateway.hashOf(id) !== policyHash(policy)) gateway.update(id, policy);
    arm(id, grants);
  };
  // `grants` MUST be those of the served policy: one that has ended since must still be removed from it.
  const arm = (id: string, grants: Grant[]) => {
    disarm(id);
    const wait = untilNextEnd(grants);
    if (wait !== undefined) timers.set(id, setTimeout(() => refresh(id), wait).unref());
  };
  return {
    async open(id, spec) {
      const { egress, proxySocket: socketPath, audit: auditPath, authority: authorityPath } = instancePaths(home, id);
      mkdirSync(egress, { recursive: true, mode: 0o700 });
      const grants = readGrants(home, id);
      const policy = livePolicy(spec, grants);
      credentials.bind(id, spec);
      if (gateway.list().includes(id)) gateway.update(id, policy);
      else {
        const inspector = credentials.inspector(id);
        await gateway.open(id, { socketPath, auditPath, authorityPath, policy, inspector });
      }
      served.set(id, spec);
      arm(id, grants);
    },
    async close(id) {
      disarm(id);
      served.delete(id);
      await gateway.close(id);
    },
    hashFor: (id, spec) => policyHash(livePolicy(spec, readGrants(home, id))),
    grant(id, spec, added) {
      const policy = compilePolicy(livePolicy(spec, [...readGrants(home, id), ...added]));
      for (const grant of added) assertNotDenied(policy, grant);
      const grants = addGrants(home, id, added);
      refresh(id);
      return grants;
    },
    [Symbol.dispose]() {
      for (const id of [...timers.keys()]) disarm(id);
    },
  };
}

interface BakeEgress {
  /** Folder of the bake, which holds its audit log */
  dir: string;
  socketPath: string;
  /** Name of the bake: the rule in the audit log */
  name: string;
  hosts: { host: string; port: number }[];
}

/** Opens the egress proxy of a bake, for the hosts of the presets only. @returns a function that closes it */
export async function openBakeEgress(
  gateway: Gateway,
  { dir, socketPath, name, hosts }: BakeEgress,
): Promise<() => Promise<void>> {
  const id = `bake-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
  const allow = hosts.map(({ host, port }) => ({ pattern: `${host}:${port}`, trusted: true, text: name }));
  ensurePrivateDir(join(dir, 'egress'));
  await gateway.open(id, { socketPath, auditPath: join(dir, 'audit.jsonl'), policy: { allow, deny: [] } });
  return () => gateway.close(id);
}

function untilNextEnd(grants: Grant[]): number | undefined {
  const ends = grants.flatMap(({ until }) => (until === undefined ? [] : [Date.parse(until)]));
  return ends.length === 0 ? undefined : Math.min(Math.max(0, Math.min(...ends) - Date.now()), WAIT_MAX_MS);
}

/** Deny rules always win, so a grant that one of them covers would have no effect. */
function assertNotDenied(policy: Policy, { pattern, text }: Grant): void {
  const endpoint = parseAuthority(pattern, 443);
  const verdict = endpoint === undefined ? undefined : decide(policy, endpoint);
  if (verdict?.reason !== 'deny-rule') return;
  const { file, line } = verdict.rule ?? {};
  throw new SbxError('refused-policy', `${text} stays ${verdict.detail}`, {
    why: 'a deny rule always wins over allow entries',
    hint: 'remove it from [network] deny and run `sbx apply`',
    ...(file === undefined ? {} : { place: { file, line: line ?? 1, column: 1 } }),
  });
}
