/** The types of a spec: plain data, after templates were merged and every value was validated. */
import type { Place } from '../errors.ts';

/** Origin of a value: a place in a file, or `default` */
export type Source = Place | 'default';

/** An allow or deny entry after presets were expanded. */
export interface NetworkRule {
  /** As written: `api.github.com`, `*.example.com:443`, `10.1.2.0/24:5432`, `preset:npm` */
  text: string;
  /** The host pattern or CIDR, with ports, for the gateway; a preset has one rule for each host */
  pattern: string;
  /** From the host's own configuration (a preset): it may resolve to a private address */
  trusted: boolean;
  source: Source;
}

interface HttpRule {
  host: string;
  methods: string[];
  paths: string[];
  source: Source;
}

export interface MountSpec {
  /** Absolute path on the host, `~` resolved */
  host: string;
  guest: string;
  readonly: boolean;
  source: Source;
}

/** A secret of the host, bound to one external host and header. */
export interface CredentialSpec {
  /** Name of the secret on the host */
  secret: string;
  /** Environment variable in the sandbox that holds the placeholder */
  env: string;
  /** Lower case, with an optional `:port`; without one it means 443 */
  host: string;
  /** Lower case */
  header: string;
  /** `{}` is replaced by the secret; `user:password` after `Basic ` is encoded when it is sent */
  format: string;
  source: Source;
}

/** A service of the host that the guest reaches as `<name>.host.sbx:<port>`. */
export interface ServiceSpec {
  name: string;
  /** For the guest */
  port: number;
  target: ServiceTarget;
  source: Source;
}

/** Where it is on the host: an address (or `localhost`) and port, or the absolute path of a Unix socket. */
export type ServiceTarget = { host: string; port: number } | { path: string };

/** A port of the guest that the host listens for. */
export interface PortSpec {
  guest: number;
  /** 0: a free one */
  host: number;
  /** The one address that is listened on. Absent: the loopback, 127.0.0.1 and ::1 */
  address?: string;
  /** A free port is used when `host` is taken */
  auto?: true;
  source: Source;
}

/** A program of the host whose MCP tools the sandbox may call. */
export interface McpServerSpec {
  name: string;
  command: string[];
  /** Real paths, read only, the same in its jail */
  folders: string[];
  /** Patterns with `*`. Absent: all */
  tools?: string[];
  source: Source;
}

interface ImageSpec extends Partial<OciImage> {
  /** `debian:<suite>`, `ubuntu:<suite>`, `oci:<reference>`, or the absolute path of a root-filesystem tar */
  base: string;
}

/** What an `oci:` reference meant when it was resolved; absent until then, and for other bases. */
export interface OciImage {
  /** `sha256:…` of the manifest for this platform */
  digest: string;
  /** The image's variables */
  env: Record<string, string>;
  /** As the image says it; commands run as `agent` */
  user?: string;
  /** As the image says it; commands start in the workspace */
  workdir?: string;
}

interface PackagesSpec {
  apt: string[];
  npm: string[];
  pip: string[];
  setup: string[];
}

interface WorkspaceSpec {
  /** Absolute real path, the same on the host and in the sandbox */
  path: string;
  mode: 'mount' | 'clone';
  /** Mode clone: also what is in no commit. Absent: no */
  uncommitted?: boolean;
  hide: string[];
  readonly: string[];
  /** The sandbox's own: neither side sees the other's. Absent in specs of earlier builds */
  private?: string[];
  /** Built-in protected paths that the user made writable (a widening) */
  unprotect: string[];
  /** False: git in the sandbox does not get the name and e-mail address of the host's user. Absent: it does */
  gitIdentity?: boolean;
  /** Real path of the git folder of a project whose repository lies outside of it (a widening). Absent: none is served */
  repository?: string;
  /** Real path of the work tree that the project is a subfolder of: names, sizes and times of its files are shown (a widening) */
  repositoryTop?: string;
}

interface ResourcesSpec {
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
}

interface LifecycleSpec {
  restart: 'never' | 'on-failure' | 'always';
  /** 0: never */
  idleSeconds: number;
  /** Absent: it is stopped */
  idleAction?: 'suspend';
  pool: number;
}

export interface AgentSpec {
  /** Interactive command */
  command: string[];
  /** Headless command; `{prompt}` is replaced */
  headless: string[];
  mcpFile: string | undefined;
  mcpFormat: 'json' | 'toml' | undefined;
  /** Merged into that file, with the URL for `{url}` */
  mcpEntry?: string;
  /** Path in the sandbox → content; `~/…` is the home folder of the user `agent` */
  files?: Record<string, string>;
  /** Folders below `~` that outlive the disk: `.tool`, `.local/share/tool`. Absent: none */
  keep?: string[];
  /** Paths in them that go with the disk: `.tool/auth.json` */
  keepExcept?: string[];
  /** File of the template that defines the agent: its packages are a separate layer. Absent: the project's own file */
  template?: string;
}

interface DockerSpec {
  enabled: true;
}

interface NetworkSpec {
  mode: 'enforce' | 'observe';
  allow: NetworkRule[];
  deny: NetworkRule[];
  http: HttpRule[];
  /** Bytes per second in each direction; undefined: no limit */
  bandwidth?: number;
}

interface GitSpec {
  /** Public key of the host's user, `type base64`: its ssh agent signs commits of the sandbox (a widening) */
  signingKey: string;
}

/** What a VM keeps from its start to its end. */
export type VmSize = Pick<ResourcesSpec, 'cpus' | 'memoryBytes'>;

/** The desired configuration of one sandbox. */
export interface SandboxSpec {
  /** The project's name, or `<key>` or `<key>-<n>` of `[sandboxes.<key>]` */
  name: string;
  image: ImageSpec;
  packages: PackagesSpec;
  workspace: WorkspaceSpec;
  mounts: MountSpec[];
  network: NetworkSpec;
  credentials: CredentialSpec[];
  /** Absent in specs of earlier builds */
  services?: ServiceSpec[];
  /** Absent: none */
  ports?: PortSpec[];
  /** `sbx ports` asks about what starts to listen inside */
  offerPorts?: true;
  /** Absent: none */
  mcp?: McpServerSpec[];
  resources: ResourcesSpec;
  /** Absent: commits are not signed */
  git?: GitSpec;
  /** Absent: no Docker engine */
  docker?: DockerSpec;
  env: Record<string, string>;
  lifecycle: LifecycleSpec;
  agent: { name: string | undefined } & AgentSpec;
  /** Provenance by dotted path (`resources.memory`, `packages.apt[0]`) */
  sources: Record<string, Source>;
}

export interface ProjectSpec {
  /** The project's name */
  name: string;
  /** Real path of the folder of sandbox.toml */
  dir: string;
  /** Every file that was read, in order */
  files: string[];
  sandboxes: SandboxSpec[];
  /** Valid, but not what its author means. Absent in specs of earlier builds */
  warnings?: Warning[];
}

export interface Warning {
  /** One line, with the place */
  message: string;
  source: Source;
}
