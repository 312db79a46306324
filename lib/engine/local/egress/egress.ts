/** Runs the egress proxies of the sandboxes, each with the policy of its spec and its current grants, and those of bakes. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { parseAuthority } from '../../../gateway/address/canonical-host.ts';
import type { Gateway } from '../../../gateway/gateway.ts';
import { compilePolicy, decide, type Policy, policyHash } from '../../../gateway/policy/policy.ts';
import { isServiceName } from '../../../gateway/policy/services.ts';
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

export function createEgress(deps: EgressDeps): Egress {
  return new EgressProxies(deps);
}

class EgressProxies implements Egress {
  readonly #home: Home;
  readonly #gateway: Gateway;
  readonly #credentials: Credentials;
  readonly #served = new Map<string, SandboxSpec>();
  /** Until the next grant ends */
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor({ home, gateway, credentials }: EgressDeps) {
    this.#home = home;
    this.#gateway = gateway;
    this.#credentials = credentials;
  }

  async open(id: string, spec: SandboxSpec): Promise<void> {
    const { egress, proxySocket, audit, authority } = instancePaths(this.#home, id);
    mkdirSync(egress, { recursive: true, mode: 0o700 });
    const grants = readGrants(this.#home, id);
    const policy = livePolicy(spec, grants);
    this.#credentials.bind(id, spec);
    if (this.#gateway.list().includes(id)) this.#gateway.update(id, policy);
    else {
      const inspector = this.#credentials.inspector(id);
      const files = { socketPath: proxySocket, auditPath: audit, authorityPath: authority };
      await this.#gateway.open(id, { ...files, policy, inspector });
    }
    this.#served.set(id, spec);
    this.#arm(id, grants);
  }

  async close(id: string): Promise<void> {
    this.#disarm(id);
    this.#served.delete(id);
    await this.#gateway.close(id);
  }

  hashFor(id: string, spec: SandboxSpec): string {
    return policyHash(livePolicy(spec, readGrants(this.#home, id)));
  }

  grant(id: string, spec: SandboxSpec, added: Grant[]): Grant[] {
    const policy = compilePolicy(livePolicy(spec, [...readGrants(this.#home, id), ...added]));
    for (const grant of added) assertNotDenied(policy, grant);
    const grants = addGrants(this.#home, id, added);
    this.#refresh(id);
    return grants;
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#timers.keys()]) this.#disarm(id);
  }

  #refresh(id: string): void {
    const spec = this.#served.get(id);
    if (spec === undefined) return;
    const grants = readGrants(this.#home, id);
    const policy = livePolicy(spec, grants);
    if (this.#gateway.hashOf(id) !== policyHash(policy)) this.#gateway.update(id, policy);
    this.#arm(id, grants);
  }

  /** `grants` MUST be those of the served policy: one that has ended since must still be removed from it. */
  #arm(id: string, grants: Grant[]): void {
    this.#disarm(id);
    const wait = untilNextEnd(grants);
    if (wait !== undefined) this.#timers.set(id, setTimeout(() => this.#refresh(id), wait).unref());
  }

  #disarm(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
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
  if (endpoint !== undefined && isServiceName(endpoint.host) && verdict?.reason === 'default-deny')
    throw new SbxError('refused-policy', `${text} cannot be allowed`, {
      why: 'names below host.sbx lead to the services of [[services]] only',
      hint: 'add it to [[services]] in sandbox.toml and run `sbx apply`',
    });
  if (verdict?.reason !== 'deny-rule') return;
  const { file, line } = verdict.rule ?? {};
  throw new SbxError('refused-policy', `${text} stays ${verdict.detail}`, {
    why: 'a deny rule always wins over allow entries',
    hint: 'remove it from [network] deny and run `sbx apply`',
    ...(file === undefined ? {} : { place: { file, line: line ?? 1, column: 1 } }),
  });
}
