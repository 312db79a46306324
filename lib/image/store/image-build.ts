/** Inputs and dependencies of an image build. */
import type { Registry } from '../../registry/registry.ts';
import type { VmDriver, VmPaths } from '../../vm/driver.ts';
import type { Store } from './store.ts';

export interface PackageLists {
  apt: string[];
  npm: string[];
  pip: string[];
  setup: string[];
}

export interface RuntimeParts {
  /** The guest agent's bundle */
  agent: string;
  /** Folders of the packages that go in */
  node: string;
  npm: string;
  pty: string[];
}

export interface ImageRequest {
  /** `debian:<suite>`, `ubuntu:<suite>`, `oci:<reference with a digest>` or the path of a tar */
  base: string;
  packages: PackageLists;
  /** What the agent's template adds: a layer of its own */
  agentPackages: PackageLists;
  /** Path → content, in that layer */
  agentFiles: Record<string, string>;
  /** With a Docker engine, which runs in the snapshot */
  docker: boolean;
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  /** Environment of the bake's commands */
  env: Record<string, string>;
}

export interface ImageDeps {
  store: Store;
  driver: VmDriver;
  runtimeParts: () => Promise<RuntimeParts>;
  /** Serves the gateway's socket of a bake with the presets' hosts; the returned function closes it */
  openEgress: (paths: VmPaths, name: string) => Promise<() => Promise<void>>;
  /** Images of `oci:` bases; `merge`: the bundle that merges their layers */
  registry: Registry;
  merge: string;
  /** Folder of bake logs */
  logs: string;
}

export interface ImageEvents {
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** One build of a whole chain of layers. */
export interface ImageBuild {
  deps: ImageDeps;
  request: ImageRequest;
  events: ImageEvents;
}
