/** Runs the egress proxies of the sandboxes, each with the policy of its spec and its current grants, and those of bakes. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { parseAuthority } from '../../../gateway/address/canonical-host.ts';
import type { Gateway } from '../../../gateway/gateway.ts';
import { compilePolicy, decide, type Policy, policyHash } from '../../../gateway/policy/policy.ts';
import { isServiceName } from '../../../gateway/policy/services.ts';
import type { PolicyInput } from '../../../gateway/policy/types.ts';
import { withOrganisation } from '../../../organisation/check-project.ts';
import { type Organisation, readOrganisation } from '../../../organisation/policy-file.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../../../paths.ts';
import type { HostAgents } from '../../../signing/host-agents.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import {
  addLive,
  type Grant,
  knownLive,
  type LiveRules,
  livePolicy,
  readLive,
  removeLive,
} from '../../../state/grants.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { McpGateways } from './mcp-gateways.ts';
import { Signers } from './signers.ts';

export interface Egress extends Disposable {
  /** Opens the egress proxy, or applies the policy to an open one */
  open(id: string, spec: SandboxSpec): Promise<void>;
  close(id: string): Promise<void>;
  /** Hash of the policy that should be served now */
  hashFor(id: string, spec: SandboxSpec): string;
  /** Saves the grants and applies them at once if the proxy is open. @throws SbxError `refused-policy`: a deny rule covers one. */
  grant(id: string, spec: SandboxSpec, grants: Grant[]): Grant[];
  /** Saves deny rules and applies them at once if the proxy is open: open connections that they cover are cut. */
  deny(id: string, spec: SandboxSpec, denials: Grant[]): Grant[];
  /** Removes grants and denials, by the text of the user. @returns those that were in force */
  revoke(id: string, texts: readonly string[]): LiveRules;
}

/** Maximum timer delay: a suspended host stops timers, but not the clock */
const WAIT_MAX_MS = 10_000;

export interface EgressDeps {
  home: Home;
  gateway: Gateway;
  credentials: Credentials;
  agents: HostAgents;
  /** Folder of the bundles */
  distDir: string;
  /** The organisation's policy as it is now; default: that of this machine. @throws SbxError `config-invalid` */
  organisation?: () => Organisation;
}

export function createEgress(deps: EgressDeps): Egress {
  return new EgressProxies(deps);
}

class EgressProxies implements Egress {
  readonly #home: Home;
  readonly #gateway: Gateway;
  readonly #credentials: Credentials;
  readonly #signers: Signers;
  readonly #mcp: McpGateways;
  readonly #organisation: () => Organisation;
  readonly #served = new Map<string, SandboxSpec>();
  /** Until the next rule of the command line ends */
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor({ home, gateway, credentials, agents, distDir, organisation = () => readOrganisation() }: EgressDeps) {
    this.#organisation = organisation;
    this.#home = home;
    this.#gateway = gateway;
    this.#credentials = credentials;
    this.#signers = new Signers({ home, gateway, agents });
    this.#mcp = new McpGateways({ home, distDir });
  }

  async open(id: string, spec: SandboxSpec): Promise<void> {
    const { egress, proxySocket, audit, authority, signerSocket, mcp } = instancePaths(this.#home, id);
    mkdirSync(egress, { recursive: true, mode: 0o700 });
    const policy = this.#policyOf(spec, readLive(this.#home, id));
    this.#credentials.bind(id, spec);
    if (this.#gateway.list().includes(id)) this.#gateway.update(id, policy);
    else {
      const inspector = this.#credentials.inspector(id);
      const own = { signerSocket, mcpSocket: mcp.socket };
      const files = { socketPath: proxySocket, auditPath: audit, authorityPath: authority, ...own };
      await this.#gateway.open(id, { ...files, policy, inspector });
    }
    await this.#signers.set(id, spec.git?.signingKey);
    await this.#mcp.set(id, spec.mcp ?? []);
    this.#served.set(id, spec);
    // A rule may have been added meanwhile.
    this.#refresh(id);
  }

  async close(id: string): Promise<void> {
    this.#disarm(id);
    this.#served.delete(id);
    await this.#signers.set(id, undefined);
    await this.#mcp.set(id, []);
    await this.#gateway.close(id);
  }

  hashFor(id: string, spec: SandboxSpec): string {
    const live = knownLive(this.#home, id);
    // Served is what was there before: applying it says what is wrong.
    if (live === undefined) return 'unreadable';
    try {
      return policyHash(this.#policyOf(spec, live));
    } catch {
      return 'unreadable';
    }
  }

  grant(id: string, spec: SandboxSpec, added: Grant[]): Grant[] {
    const { grants: given, denials } = readLive(this.#home, id);
    const policy = compilePolicy(this.#policyOf(spec, { grants: [...given, ...added], denials }));
    for (const grant of added) assertNotDenied(policy, grant);
    const { grants } = addLive(this.#home, id, { grants: added });
    this.#refresh(id);
    return grants;
  }

  deny(id: string, spec: SandboxSpec, added: Grant[]): Grant[] {
    const { grants, denials: given } = readLive(this.#home, id);
    // A malformed rule MUST NOT reach the disk: the proxy would deny everything.
    compilePolicy(this.#policyOf(spec, { grants, denials: [...given, ...added] }));
    const { denials } = addLive(this.#home, id, { denials: added });
    this.#refresh(id);
    return denials;
  }

  revoke(id: string, texts: readonly string[]): LiveRules {
    const revoked = removeLive(this.#home, id, texts);
    this.#refresh(id);
    return revoked;
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#timers.keys()]) this.#disarm(id);
    this.#signers[Symbol.dispose]();
    this.#mcp[Symbol.dispose]();
  }

  /** With the organisation's deny rules, which are read each time: also a sandbox that was applied before them has them. */
  #policyOf(spec: SandboxSpec, live: LiveRules): PolicyInput {
    return withOrganisation(livePolicy(spec, live), this.#organisation());
  }

  #refresh(id: string): void {
    const spec = this.#served.get(id);
    if (spec === undefined) return;
    const live = readLive(this.#home, id);
    const policy = this.#policyOf(spec, live);
    if (this.#gateway.hashOf(id) !== policyHash(policy)) this.#gateway.update(id, policy);
    this.#arm(id, live);
  }

  /** `live` MUST be that of the served policy: a rule that has ended since must still be removed from it. */
  #arm(id: string, { grants, denials }: LiveRules): void {
    this.#disarm(id);
    const wait = untilNextEnd([...grants, ...denials]);
    if (wait !== undefined) this.#timers.set(id, setTimeout(() => this.#expire(id), wait).unref());
  }

  /** Nothing is reachable when the rules that hold on cannot be read. */
  #expire(id: string): void {
    try {
      this.#refresh(id);
    } catch {
      void this.#gateway.close(id);
    }
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
  const { file, line, revoke } = verdict.rule ?? {};
  throw new SbxError('refused-policy', `${text} stays ${verdict.detail}`, {
    why: 'a deny rule always wins over allow entries',
    hint:
      revoke === undefined
        ? 'remove it from [network] deny and run `sbx apply`'
        : `remove it with \`sbx net revoke ${revoke}\``,
    ...(file === undefined ? {} : { place: { file, line: line ?? 1, column: 1 } }),
  });
}
