/** Makes the parts of the local engine from what the daemon gives it. */
import { join } from 'node:path';
import { createGateway } from '../../gateway/gateway.ts';
import type { Registries } from '../../image/bake/bake-script.ts';
import { findRuntimeParts } from '../../image/platform/runtime.ts';
import { openStore } from '../../image/store/store.ts';
import type { Log } from '../../log.ts';
import { ensurePrivateDir, type Home } from '../../paths.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import type { HostAgents } from '../../signing/host-agents.ts';
import { cached } from '../../state/cached.ts';
import type { Records } from '../../state/records.ts';
import { createQemuDriver } from '../../vm/qemu/driver.ts';
import { WorkspaceServers } from '../../workspace/client/servers.ts';
import { followHostGit } from '../../workspace/host-git-changes.ts';
import type { Capability } from '../engine.ts';
import { createCredentials } from './credentials/credentials.ts';
import { createEgress, openBakeEgress } from './egress/egress.ts';
import { Guests } from './guests/connections.ts';
import type { VmDeps } from './vm/deps.ts';

export interface LocalEngineOptions {
  home: Home;
  records: Records;
  secrets: Secrets;
  /** Sign commits of sandboxes */
  agents: HostAgents;
  /** Folder of the bundles: the guest agent lies below it */
  distDir: string;
  registries: () => Promise<Registries>;
  /** Of images */
  registry: Registry;
  /** Hosts that a bake may reach */
  bakeHosts: () => Promise<{ host: string; port: number }[]>;
  /** A VM ended, or its guest agent restarted: observe the sandbox again */
  onChange: (id: string) => void;
  log: Log;
}

export const CAPABILITIES: ReadonlySet<Capability> = new Set([
  'lifecycle.pool',
  'mounts',
  'credentials',
  'network.http',
  'ports',
]);

export function engineParts({ home, records, secrets, onChange, log, ...options }: LocalEngineOptions): VmDeps {
  const gateway = createGateway();
  const driver = createQemuDriver({ probeCache: home.probes });
  const refOf = (id: string) => {
    const { projectDir, name } = records.require(id);
    return { dir: projectDir, name };
  };
  const ids = records.list().map(({ id }) => id);
  const credentials = createCredentials({ home, secrets, refOf, ids });
  const workspaces = new WorkspaceServers({ home, distDir: options.distDir, log, follow: followHostGit });
  return {
    home,
    records,
    driver,
    gateway,
    egress: createEgress({ home, gateway, credentials, agents: options.agents, distDir: options.distDir }),
    credentials,
    guests: new Guests(onChange),
    workspaces,
    image: {
      store: openStore(ensurePrivateDir(home.store)),
      driver,
      runtimeParts: () => findRuntimeParts(options.distDir),
      openEgress: async ({ dir, egress }, name) =>
        openBakeEgress(gateway, { dir, socketPath: join(egress, 'proxy'), name, hosts: await options.bakeHosts() }),
      registry: options.registry,
      merge: join(options.distDir, 'merge-layers.mjs'),
      logs: ensurePrivateDir(join(home.root, 'logs')),
    },
    registries: cached(options.registries),
  };
}
